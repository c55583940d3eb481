/**
 * Takes a command's own flags out of its arguments and leaves the rest, which are flags of settings.
 *
 * `--output json`, `--output=json` and `-o json` are one. Promises: a value that is not among the choices, a
 * missing value and a flag given twice are usage errors; nothing is guessed. As values of settings never
 * begin with a hyphen unless written `--name=-value`, a token that looks like one of our flags is one.
 */
import type { CommandCall, CommandOption } from "./command.ts";
import { UsageError } from "./usage-error.ts";

export function takeOptions(
  argv: readonly string[],
  known: readonly CommandOption[],
): Pick<CommandCall, "argv" | "options"> {
  const options = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    const [flag, attached] = splitAtEquals(argument);
    const option = known.find(
      ({ name, short }) => flag === `--${name}` || (short !== undefined && flag === `-${short}`),
    );
    if (option === undefined) {
      rest.push(argument);
      continue;
    }
    if (options.has(option.name)) throw new UsageError(`${flag} is given twice; keep one`);
    const isSwitch = option.values === undefined && option.takes === undefined;
    const takesNext = !isSwitch && attached === undefined;
    options.set(option.name, valueOf(option, flag, takesNext ? argv[++i] : attached));
  }
  return { argv: rest, options };
}

function valueOf(option: CommandOption, flag: string, value: string | undefined): string {
  if (option.takes !== undefined) {
    if (value === undefined || value === "") throw new UsageError(`${flag} needs ${option.takes}`);
    return value;
  }
  if (option.values === undefined) {
    if (value !== undefined) throw new UsageError(`${flag} takes no value; write ${flag} alone`);
    return "true";
  }
  const choices = option.values.join(" or ");
  if (value === undefined) throw new UsageError(`${flag} needs a value; write ${choices}`);
  if (!option.values.includes(value))
    throw new UsageError(`${flag}: "${value}" is not a choice; write ${choices}`);
  return value;
}

function splitAtEquals(argument: string): readonly [string, string?] {
  const equals = argument.indexOf("=");
  return equals === -1 ? [argument] : [argument.slice(0, equals), argument.slice(equals + 1)];
}
