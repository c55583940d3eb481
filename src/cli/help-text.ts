/**
 * What `thermocline help` and `thermocline <command> --help` print, made from the commands and the schema.
 *
 * Nothing here names a setting or a command by hand, so help cannot fall behind.
 */
import { environmentPrefix } from "../config/setting-name.ts";
import { settings } from "../config/settings.ts";
import type { Setting } from "../config/settings.ts";
import { helpOption } from "./command.ts";
import type { Command, CommandOption } from "./command.ts";
import { commands } from "./commands.ts";
import { formatTable } from "./format-table.ts";

export function overview(): string {
  const rows = commands.map((command) => [`  ${command.name}`, command.summary]);
  return [
    "Thermocline, an S3-compatible object store.\n\n",
    "Usage: thermocline <command> [flags]\n\n",
    alignedLines(rows),
    "\n`thermocline help <command>` lists its flags. Every setting is a flag (--s3-addr), a variable\n",
    `(${environmentPrefix}S3_ADDR) and a key of the file that --config names (s3.addr); the first wins.\n`,
    "Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 the server cannot be reached.\n",
  ].join("");
}

export function helpFor(command: Command): string {
  const flags = command.takesSettings ? " [--<setting>=<value> ...]" : "";
  const name = command.argument === undefined ? command.name : `${command.name} ${command.argument.name}`;
  const details = command.details === undefined ? "" : `${command.details}\n\n`;
  return [
    `${sentence(command.summary)}\n\n${details}Usage: thermocline ${name} [flags]${flags}\n\n`,
    alignedLines([...command.options, helpOption].map(optionRow)),
    command.takesSettings ? `\nSettings:\n${settings.flatMap(settingLines).join("")}` : "",
  ].join("");
}

/**
 * `[-file]`: or the same flag with this ending, which names a file that holds the value. Two lines each: a
 * table of four columns would not fit a terminal.
 */
function settingLines(setting: Setting): readonly string[] {
  const fallback = setting.defaultText ?? (typeof setting.default === "string" ? setting.default : "none");
  const flag = setting.fileVariant === true ? `${setting.flag}[-file]` : setting.flag;
  const spelling = setting.sources.includes("flag") ? flag : `${setting.name}:`;
  const mark = setting.status === "used" ? "" : " (not used yet)";
  return [`  ${spelling} <${setting.unit}>${mark}\n`, `      ${setting.description}; default: ${fallback}\n`];
}

function optionRow(option: CommandOption): readonly string[] {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  const values = option.takes === undefined ? (option.values ?? []).join("|") : `<${option.takes}>`;
  const spelling = values === "" ? `--${option.name}` : `--${option.name} ${values}`;
  return [`  ${short}${spelling}`, option.description];
}

function alignedLines(rows: readonly (readonly string[])[]): string {
  const [first = [], ...rest] = rows;
  return formatTable(first, rest);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
