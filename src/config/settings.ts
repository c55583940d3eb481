/**
 * The schema as a list: every setting with its names, type, unit and declaration.
 *
 * Readers of flags, environment and file look names up here; help, `config show` and the tests walk it.
 * Promises: one entry per leaf of the schema, in its order, and no two settings with the same words. A field
 * that is neither a group nor declared stops the program at start, so a setting cannot be forgotten halfway.
 */
import { z } from "zod";
import { configSchema } from "./config.ts";
import { flagOf, variableOf, wordsOfKey } from "./setting-name.ts";
import type { Words } from "./setting-name.ts";
import { settingDeclarations } from "./setting.ts";
import type { SettingDeclaration, Source } from "./setting.ts";

export interface Setting extends SettingDeclaration {
  /** Place in the schema and spelling in the file: `s3.addr`. */
  readonly name: string;
  readonly words: Words;
  readonly flag: string;
  readonly variable: string;
  readonly unit: string;
  readonly sources: readonly Source[];
}

/** A name as found: the setting itself, or its `<name>File` variant that names a file with the value. */
export interface NamedSetting {
  readonly setting: Setting;
  readonly viaFile: boolean;
}

const allSources: readonly Source[] = ["flag", "environment", "file"];

export const settings: readonly Setting[] = collectSettings(configSchema, []);

const settingsByWords: ReadonlyMap<Words, NamedSetting> = indexByWords(settings);

export function findSetting(words: Words): NamedSetting | undefined {
  return settingsByWords.get(words);
}

/** True for `s3` and `limits`: words that begin the name of a setting and are none themselves. */
export function isGroup(words: Words): boolean {
  return settings.some((setting) => setting.words.startsWith(`${words} `));
}

/** Every name that `source` may use, `*File` variants included, in its own spelling. */
export function namesFor(source: Source): readonly string[] {
  const names: string[] = [];
  for (const [words, { setting, viaFile }] of settingsByWords) {
    if (!setting.sources.includes(source)) continue;
    if (source === "file") names.push(viaFile ? `${setting.name}File` : setting.name);
    else names.push(source === "flag" ? flagOf(words) : variableOf(words));
  }
  return names;
}

function collectSettings(group: z.ZodObject, path: readonly string[]): readonly Setting[] {
  return Object.entries(group.shape).flatMap(([field, type]) => {
    const fieldPath = [...path, field];
    const name = fieldPath.join(".");
    const declaration = type instanceof z.ZodType ? settingDeclarations.get(type) : undefined;
    if (declaration !== undefined && type instanceof z.ZodType) return [toSetting(name, type, declaration)];
    if (type instanceof z.ZodObject) return collectSettings(type, fieldPath);
    throw new Error(`${name} is neither a group nor declared as a setting`);
  });
}

function toSetting(name: string, type: z.ZodType, declaration: SettingDeclaration): Setting {
  const words = wordsOfKey(name);
  return {
    ...declaration,
    name,
    words,
    flag: flagOf(words),
    variable: variableOf(words),
    unit: type.description ?? "text",
    sources: declaration.sources ?? allSources,
  };
}

function indexByWords(list: readonly Setting[]): ReadonlyMap<Words, NamedSetting> {
  const byWords = new Map<Words, NamedSetting>();
  const add = (words: Words, named: NamedSetting): void => {
    if (byWords.has(words)) throw new Error(`two settings are spelled ${variableOf(words)}`);
    byWords.set(words, named);
  };
  for (const setting of list) {
    add(setting.words, { setting, viaFile: false });
    if (setting.fileVariant === true) add(`${setting.words} file`, { setting, viaFile: true });
  }
  return byWords;
}
