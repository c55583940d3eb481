/**
 * The tables of README.md that follow from elsewhere: settings from their schema, S3 operations from
 * test/compat/operations.json. A test holds the README to them;
 *
 *   node test/scenario/readme-tables.ts
 *
 * writes them into it, each between its markers.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { settings } from "../../src/config/settings.ts";
import type { Setting } from "../../src/config/settings.ts";
import { operations } from "../compat/operations.ts";
import type { OperationEntry } from "../compat/operations.ts";

export type Table = { readonly marker: string; readonly lines: readonly string[] };

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function settingLine(setting: Setting): string {
  const { name, variable, sources, fileVariant, secret, status } = setting;
  const fallback = setting.defaultText ?? (typeof setting.default === "string" ? setting.default : "none");
  const spelling = sources.includes("environment") ? `\`${variable}\`` : `\`${name}:\` in the file`;
  const notes = [
    fileVariant === true ? "also as `_FILE`" : "",
    secret === true ? "secret" : "",
    status === "used" ? "" : "*not used yet*",
  ].filter((note) => note !== "");
  const meaning = [cell(setting.description), ...notes].join("; ");
  return `| ${spelling} | ${cell(setting.unit)} | ${cell(fallback)} | ${meaning} |`;
}

const STATUS_WORDS = { done: "done", partly: "partly", not: "no" } as const;

function operationLine({ name, status, note }: OperationEntry): string {
  return `| ${name} | ${STATUS_WORDS[status]} | ${note ?? ""} |`;
}

export const tables: readonly Table[] = [
  {
    marker: "settings",
    lines: ["| variable | value | default | meaning |", "|---|---|---|---|", ...settings.map(settingLine)],
  },
  {
    marker: "operations",
    lines: ["| operation | | |", "|---|---|---|", ...operations.map(operationLine)],
  },
];

export function markersOf({ marker }: Table): { readonly start: string; readonly end: string } {
  return { start: `<!-- table: ${marker} -->`, end: `<!-- end of ${marker} -->` };
}

/** The text with every table as it should be. */
function withTables(readme: string): string {
  return tables.reduce((text, table) => {
    const { start, end } = markersOf(table);
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`README.md has no place for the table of ${table.marker}`);
    return `${text.slice(0, from)}${[start, "", ...table.lines, "", ""].join("\n")}${text.slice(to)}`;
  }, readme);
}

if (import.meta.main) {
  const file = new URL("../../README.md", import.meta.url);
  writeFileSync(file, withTables(readFileSync(file, "utf8")));
}
