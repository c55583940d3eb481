/**
 * From arguments to a command and from its outcome to an exit code.
 *
 * Promises: what the user got wrong is one line per problem on standard error and exit 2; what failed is one
 * line and exit 1, unless it is a bug, which is thrown on so that its stack is seen. Help goes to standard
 * output when asked for and to standard error when it is an answer to a mistake.
 */
import { InvariantError } from "../base/assert.ts";
import { ConfigError, problemLine } from "../config/config-error.ts";
import { didYouMean } from "../config/nearest-name.ts";
import { exitCodes } from "./cli-context.ts";
import type { CliContext } from "./cli-context.ts";
import { helpOption } from "./command.ts";
import type { Command, CommandCall } from "./command.ts";
import { commands } from "./commands.ts";
import { helpFor, overview } from "./help-text.ts";
import { takeOptions } from "./take-options.ts";
import { UsageError } from "./usage-error.ts";

export async function runCommand(context: CliContext, argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(context, argv);
  } catch (error) {
    return report(context, error);
  }
}

async function dispatch(context: CliContext, argv: readonly string[]): Promise<number> {
  const [first = ""] = argv;
  if (first === "help" || first === "--help" || first === "-h") return help(context, argv.slice(1));
  if (first === "--version" || first === "-v") return dispatch(context, ["version", ...argv.slice(1)]);
  if (first === "") {
    context.writeError(overview());
    return exitCodes.usage;
  }
  const { command, rest } = findCommand(argv);
  const taken = takeOptions(rest, [...command.options, helpOption]);
  if (taken.options.has("help")) return help(context, command.name.split(" "));
  const call = takeArgument(command, taken);
  const [extra] = command.takesSettings ? [] : call.argv;
  if (extra !== undefined)
    throw new UsageError(`${extra}: ${command.name} takes no such argument; remove it`);
  return command.run(context, call);
}

/** It comes before all flags, whose values it could not be told from. */
function takeArgument(
  { name, argument }: Command,
  { argv, options }: Pick<CommandCall, "argv" | "options">,
): CommandCall {
  if (argument === undefined) return { argv, options, argument: "" };
  const [first = ""] = argv;
  if (first !== "" && !first.startsWith("-")) return { argv: argv.slice(1), options, argument: first };
  throw new UsageError(`${name} needs ${argument.name} right behind it; write ${name} ${argument.example}`);
}

function help(context: CliContext, words: readonly string[]): number {
  const names = words.filter((word) => !word.startsWith("-"));
  context.write(names.length === 0 ? overview() : helpFor(findCommand(names).command));
  return exitCodes.done;
}

/** Names are one or two words; the longer one wins. */
function findCommand(argv: readonly string[]): {
  readonly command: Command;
  readonly rest: readonly string[];
} {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(" ");
    const command = commands.find((candidate) => candidate.name === name);
    if (command !== undefined) return { command, rest: argv.slice(length) };
  }
  throw new UsageError(unknownCommand(argv));
}

function unknownCommand(argv: readonly string[]): string {
  const [first = "", second] = argv;
  const nested = commands
    .filter((command) => command.name.startsWith(`${first} `))
    .map((command) => command.name);
  if (nested.length > 0) {
    const said =
      second === undefined ? `${first} needs one more word` : `unknown command "${first} ${second}"`;
    return `${said}; write ${nested.join(" or ")}`;
  }
  const suggestion = didYouMean(first, ["help", ...commands.map((command) => command.name)]);
  return `unknown command "${first}"${suggestion || "; see thermocline help"}`;
}

function report(context: CliContext, error: unknown): number {
  if (error instanceof ConfigError) {
    for (const problem of error.problems) context.writeError(`thermocline: ${problemLine(problem)}\n`);
    return exitCodes.usage;
  }
  if (error instanceof UsageError) {
    context.writeError(`thermocline: ${error.message}\n`);
    return exitCodes.usage;
  }
  // A bug must not look like a full disk: only errors of the world, which carry a code, are told in one line.
  const ofTheWorld = error instanceof Error && "code" in error && !(error instanceof InvariantError);
  if (!ofTheWorld) throw error;
  context.writeError(`thermocline: ${error.message.replaceAll(/\s*[\r\n]+\s*/g, " ")}\n`);
  return exitCodes.failed;
}
