/**
 * The tables of README.md that follow from the code: settings and S3 operations. A test holds the README to
 * them;
 *
 *   node test/scenario/readme-tables.ts
 *
 * prints them, each between the markers that it has there.
 */
import { readFileSync } from "node:fs";
import { settings } from "../../src/config/settings.ts";
import type { Setting } from "../../src/config/settings.ts";
import { operationTable } from "../../src/http/operation-table.ts";

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

/** Operations that the router knows and answers with NotImplemented. */
function missingOperations(): readonly string[] {
  const source = readFileSync(new URL("../../src/s3/operations.ts", import.meta.url), "utf8");
  return [...new Set([...source.matchAll(/missing\("(\w+)"\)/g)].map(([, name = ""]) => name))].toSorted(
    byText,
  );
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

export const tables: readonly Table[] = [
  {
    marker: "settings",
    lines: ["| variable | value | default | meaning |", "|---|---|---|---|", ...settings.map(settingLine)],
  },
  {
    marker: "operations",
    lines: [
      "| done | answers `NotImplemented` |",
      "|---|---|",
      `| ${Object.keys(operationTable).join(", ")} | ${missingOperations().join(", ")} |`,
    ],
  },
];

export function markersOf({ marker }: Table): { readonly start: string; readonly end: string } {
  return { start: `<!-- table: ${marker} -->`, end: `<!-- end of ${marker} -->` };
}

if (import.meta.main) {
  for (const table of tables) {
    const { start, end } = markersOf(table);
    process.stdout.write(`${[start, "", ...table.lines, "", end].join("\n")}\n`);
  }
}
