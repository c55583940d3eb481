/**
 * What a setting is, and the one place where the schema keeps what zod does not know about a field.
 *
 * A leaf of `configSchema` is wrapped by `setting(type, declaration)`: the zod type says which text is right,
 * the declaration says the default, the meaning and whether the feature behind it is built. Both lie on one
 * line of config.ts, so a setting cannot be known to one and not to the other. Names are not declared here:
 * they follow from the field's place in the schema (setting-name.ts).
 */
import { z } from "zod";

/** What a computed default may look at; nothing else, so a default can be explained in one sentence. */
export interface DefaultContext {
  readonly command: Command;
  readonly memoryBytes: number;
  readonly dataDir: string;
  /** All listening addresses are loopback: only then does `dev` hand out its well-known pair. */
  readonly loopbackOnly: boolean;
}

/**
 * For whom the configuration is loaded: it decides about computed defaults and which settings are required.
 */
export type Command = "dev" | "server" | "verify" | "restore" | "status" | "config";

/**
 * Where a setting may be given. `config` cannot be in the file it names; `accounts` has no one-line spelling.
 */
export type Source = "flag" | "environment" | "file";

export interface SettingDeclaration {
  readonly description: string;
  /** Text as a user would write it, so that defaults run through the same checks as everything else. */
  readonly default?: string | ((context: DefaultContext) => string | undefined);
  /** For a computed or absent default: what help and the README say. */
  readonly defaultText?: string;
  /** Never shown, never echoed in an error. */
  readonly secret?: true;
  /** Can also be read from the file that `<name>File` names (`THERMOCLINE_ROOT_SECRET_KEY_FILE`). */
  readonly fileVariant?: true;
  readonly sources?: readonly Source[];
  /** `not used yet`: known and validated, but the feature behind it is not built. */
  readonly status: "used" | "not used yet";
}

export const settingDeclarations = z.registry<SettingDeclaration>();

/** Marks `type` as a setting. Without a declaration a field of the schema is a group. */
export function setting<T extends z.ZodType>(type: T, declaration: SettingDeclaration): T {
  settingDeclarations.add(type, declaration);
  return type;
}
