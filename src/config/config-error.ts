/**
 * What is wrong with a configuration: a list of problems, each one line that says where, what and how to mend
 * it.
 *
 * All problems of one kind of reading are reported together, so that mending does not take one start per
 * slip. Promises: no line repeats a secret, and no line holds a line break.
 */

export type ProblemCode =
  | "unknownName"
  | "unexpectedArgument"
  | "wrongSource"
  | "givenTwice"
  | "wrongValue"
  | "unreadableFile"
  | "malformedFile"
  | "missing"
  | "conflict";

export interface Problem {
  readonly code: ProblemCode;
  /** The flag, the variable, or `file:line (key)`. */
  readonly where: string;
  readonly message: string;
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Of the first problem. */
  readonly code: ProblemCode;
  readonly problems: readonly Problem[];

  constructor(problems: readonly [Problem, ...Problem[]]) {
    super(problems.map(problemLine).join("\n"));
    this.code = problems[0].code;
    this.problems = problems;
  }
}

/** `THERMOCLINE_S3_ADDR: "localhost" is not an address; write host:port such as 127.0.0.1:9000` */
export function problemLine(problem: Problem): string {
  return `${problem.where}: ${problem.message}`.replaceAll(/\s*[\r\n]+\s*/g, " ");
}

export function throwIfAny(problems: readonly Problem[]): void {
  const [first, ...rest] = problems;
  if (first !== undefined) throw new ConfigError([first, ...rest]);
}
