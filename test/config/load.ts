/**
 * A configuration without a machine: everything that `loadConfig` is handed, with files from an object.
 */
import { loadConfig } from "../../src/config/load-config.ts";
import type { ConfigInput, LoadedConfig } from "../../src/config/load-config.ts";
import { ConfigError } from "../../src/config/config-error.ts";

export interface World extends Partial<Omit<ConfigInput, "readFile">> {
  readonly files?: Readonly<Record<string, string>>;
}

export const rootPair = {
  THERMOCLINE_ROOT_ACCESS_KEY: "root-key",
  THERMOCLINE_ROOT_SECRET_KEY: "root-secret",
} as const;

export function load({ files = {}, ...input }: World = {}): LoadedConfig {
  return loadConfig({
    argv: [],
    env: {},
    memoryBytes: 16 * 1024 ** 3,
    command: "config",
    ...input,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return text;
    },
  });
}

/** The lines that a user would see. Fails when nothing is wrong. */
export function problemsOf(world: World): readonly string[] {
  try {
    load(world);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  throw new Error("nothing is wrong with this configuration");
}
