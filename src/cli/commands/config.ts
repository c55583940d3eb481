/**
 * `thermocline config show` and `config check`: what the settings are, and whether a server would take them.
 *
 * Neither needs a server, and neither prints a secret. `show` explains also what is incomplete (no root pair
 * yet); `check` holds the configuration to the rules of the command it is for, `server` unless `--for dev` is
 * said.
 */
import { showSettings } from "../../config/show-settings.ts";
import type { SettingRow } from "../../config/show-settings.ts";
import { exitCodes } from "../cli-context.ts";
import { outputOption } from "../command.ts";
import type { Command, CommandCall, CommandOption } from "../command.ts";
import { formatTable } from "../format-table.ts";
import { load } from "../load.ts";

const forOption: CommandOption = {
  name: "for",
  values: ["server", "dev"],
  description: "the command whose defaults and rules hold",
};

export const configShow: Command = {
  name: "config show",
  summary: "print every setting, its value and where it came from; secrets are masked",
  options: [outputOption, forOption],
  takesSettings: true,
  run: async (context, call) => {
    const command = call.options.get("for") === "dev" ? "dev" : "config";
    const rows = showSettings(load(context, { argv: call.argv, command }).origins);
    const asJson = call.options.get("output") === "json";
    context.write(asJson ? `${JSON.stringify(rows.map(toJson), undefined, 2)}\n` : toTable(rows));
    return exitCodes.done;
  },
};

export const configCheck: Command = {
  name: "config check",
  summary: "say whether a server would start with these settings, or what is wrong with them",
  options: [outputOption, forOption],
  takesSettings: true,
  run: async (context, call) => {
    load(context, { argv: call.argv, command: commandFor(call) });
    const asJson = call.options.get("output") === "json";
    context.write(asJson ? `${JSON.stringify({ ok: true })}\n` : "the configuration is good\n");
    return exitCodes.done;
  },
};

function commandFor(call: CommandCall): "dev" | "server" {
  return call.options.get("for") === "dev" ? "dev" : "server";
}

function toTable(rows: readonly SettingRow[]): string {
  const cells = rows.map((row) => [
    row.name,
    row.value ?? "-",
    row.from,
    row.status === "not used yet" ? row.status : "",
  ]);
  return formatTable(["SETTING", "VALUE", "FROM", ""], cells);
}

/** A value that is not set is null: a key that is absent cannot be told from one that is not known. */
function toJson(row: SettingRow): Readonly<Record<string, string | null>> {
  return { ...row, value: row.value ?? null };
}
