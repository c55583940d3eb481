/**
 * What a command is: a name of one or two words, a sentence, its own flags, and what it does.
 *
 * Settings are flags of every command that loads the configuration; they are not repeated here.
 */
import type { CliContext } from "./cli-context.ts";

export interface CommandOption {
  readonly name: string;
  readonly short?: string;
  /** The first is what counts when the flag is absent. Absent for a switch. */
  readonly values?: readonly [string, ...string[]];
  /** What text it takes, where that is not one of a few: a word for help. */
  readonly takes?: string;
  readonly description: string;
}

/** One word that follows the command's name. */
export interface CommandArgument {
  /** As help writes it: `<bucket[/prefix]>`. */
  readonly name: string;
  /** To be written where it is missing. */
  readonly example: string;
}

export interface CommandCall {
  /** What is left after the command's name and its own flags: flags of settings. */
  readonly argv: readonly string[];
  /** By name; a switch that is set says "true". */
  readonly options: ReadonlyMap<string, string>;
  /** Empty for a command without one. */
  readonly argument: string;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** More sentences for `help <command>`. */
  readonly details?: string;
  readonly options: readonly CommandOption[];
  readonly argument?: CommandArgument;
  /** Help lists the flags of the settings, too. */
  readonly takesSettings: boolean;
  run(context: CliContext, call: CommandCall): Promise<number>;
}

export const outputOption: CommandOption = {
  name: "output",
  short: "o",
  values: ["table", "json"],
  description: "how to print",
};

export const helpOption: CommandOption = { name: "help", short: "h", description: "explain this command" };
