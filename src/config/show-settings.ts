/**
 * The loaded configuration as rows for people and programs: name, value, where it came from, whether it is
 * used.
 *
 * Promises: the one way from a loaded configuration to something that is printed, and no secret passes it.
 */
import { placeOf, textOf } from "./origin.ts";
import type { SettingOrigin } from "./resolve.ts";

export interface SettingRow {
  readonly name: string;
  /** Text as it was written; undefined when nothing is set. */
  readonly value: string | undefined;
  readonly origin: "option" | "flag" | "environment" | "file" | "default";
  /** The flag, variable, or file with line; for a value from a `*File` variant also that file. */
  readonly from: string;
  readonly unit: string;
  readonly status: "used" | "not used yet";
}

export function showSettings(origins: ReadonlyMap<string, SettingOrigin>): readonly SettingRow[] {
  return [...origins.values()].map((found) => {
    const { setting, origin, viaFile } = found;
    const place = origin.kind === "default" ? "default" : placeOf(origin, setting);
    return {
      name: setting.name,
      value: shownValue(found),
      origin: origin.kind,
      from: viaFile === undefined ? place : `${place} → ${viaFile}`,
      unit: setting.unit,
      status: setting.status,
    };
  });
}

function shownValue({ setting, value }: SettingOrigin): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return `${value.length} in the list`;
  return setting.secret === true ? "********" : textOf(value);
}
