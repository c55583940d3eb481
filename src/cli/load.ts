/**
 * Loads the configuration for a command and says its warnings on standard error.
 */
import { loadConfig } from "../config/load-config.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import type { Command } from "../config/setting.ts";
import type { CliContext } from "./cli-context.ts";

export interface LoadRequest {
  readonly argv: readonly string[];
  /** Whose defaults and requirements hold. */
  readonly command: Command;
}

export function load(context: CliContext, request: LoadRequest): LoadedConfig {
  const { env, readFile, memoryBytes } = context;
  const loaded = loadConfig({ ...request, env, readFile, memoryBytes });
  for (const warning of loaded.warnings) context.writeError(`thermocline: warning: ${warning}\n`);
  return loaded;
}
