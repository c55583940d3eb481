/**
 * The query of an admin request: every name is known and comes once, every value is one that it may have.
 * What somebody misspelled must not be taken for left out.
 */
import { invalidArgument, s3Error } from "../s3/errors.ts";
import type { QueryParameters } from "../s3/request-target.ts";
import type { Exchange } from "./exchange.ts";

function requireKnown({ names }: QueryParameters, known: readonly string[]): void {
  for (const [at, name] of names.entries()) {
    if (!known.includes(name)) {
      const others = known.length === 0 ? "there are none" : `there are ${known.join(", ")}`;
      throw invalidArgument(`No such parameter; ${others}`, "name", name);
    }
    if (names.indexOf(name) !== at) throw invalidArgument("Given twice", "name", name);
  }
}

/** For pages that have no parameters. */
export function refuseQuery({ target }: Exchange): void {
  requireKnown(target.query, []);
}

export class AdminQuery {
  readonly #query: QueryParameters;

  constructor({ target }: Exchange, known: readonly string[]) {
    requireKnown(target.query, known);
    this.#query = target.query;
  }

  text(name: string): string | undefined {
    return this.#query.get(name);
  }

  /** Absent is no. */
  flag(name: string): boolean {
    const value = this.text(name) ?? "false";
    if (value === "true" || value === "false") return value === "true";
    throw invalidArgument("Must be true or false", name, value);
  }

  /** From 0 on. */
  number(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (/^\d{1,15}(\.\d{1,12})?$/.test(value)) return Number(value);
    throw invalidArgument("Must be a number that is not negative", name, value);
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "") {
      throw s3Error("InvalidRequest", { message: `The parameter ${name} is missing` });
    }
    return value;
  }
}
