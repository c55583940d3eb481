/**
 * Where a value came from, and a value as a reader of flags, environment or file hands it on.
 *
 * A reader knows names and places, never what a value means: it yields `Given`s with the text as written. The
 * order in which sources win is `rankOf`, the one statement of "flag > environment > file > default".
 */
import { unreachable } from "../base/assert.ts";
import type { Problem } from "./config-error.ts";
import type { Setting } from "./settings.ts";

export type Origin =
  /** An option of createServer(): code that embeds the server has the last word. */
  | { readonly kind: "option"; readonly name: string }
  | { readonly kind: "flag"; readonly name: string }
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "file"; readonly path: string; readonly line: number; readonly key: string }
  | { readonly kind: "default" };

export interface Given {
  readonly setting: Setting;
  /** Text as written; only `accounts` is structured. */
  readonly value: unknown;
  readonly origin: Origin;
  /** The value is the path of a file that holds the setting's value. */
  readonly viaFile: boolean;
}

export interface Reading {
  readonly given: readonly Given[];
  readonly problems: readonly Problem[];
}

/** Only a wrong value is not text already: this is for messages and paths. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The highest rank wins. */
export function rankOf(origin: Origin): number {
  return ["default", "file", "environment", "flag", "option"].indexOf(origin.kind);
}

/** As a person would point at it; a default is pointed at by the setting's own variable. */
export function placeOf(origin: Origin, setting: Setting): string {
  switch (origin.kind) {
    case "option":
    case "flag":
    case "environment":
      return origin.name;
    case "file":
      return `${origin.path}:${origin.line} (${origin.key})`;
    case "default":
      return setting.variable;
    default:
      return unreachable(origin);
  }
}
