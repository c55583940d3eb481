/**
 * Reads fields out of JSON that somebody else may have written: each is asked for by name and kind, anything
 * else is a FormatError that says where, and what nobody asks for does not get through.
 */
import { FormatError } from "../base/bytes.ts";

export class JsonFields {
  readonly #value: object;
  readonly #what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FormatError(`${what} is no object`);
    }
    this.#value = value;
    this.#what = what;
  }

  text(name: string): string {
    const value = this.#field(name);
    return typeof value === "string" ? value : this.#refuse(name, "no text");
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#value, name);
  }

  flag(name: string): boolean {
    const value = this.#field(name);
    return typeof value === "boolean" ? value : this.#refuse(name, "neither true nor false");
  }

  /** A whole number, 0 or above. */
  count(name: string): number {
    const value = this.#field(name);
    const isCount = typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
    return isCount ? value : this.#refuse(name, "no whole number");
  }

  hex(name: string, digits: number): string {
    const value = this.text(name);
    const isHex = value.length === digits && /^[0-9a-f]*$/.test(value);
    return isHex ? value : this.#refuse(name, `not ${digits} hexadecimal digits`);
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const value = this.text(name);
    return choices.find((choice) => choice === value) ?? this.#refuse(name, `none of ${choices.join(", ")}`);
  }

  object(name: string): JsonFields {
    return new JsonFields(this.#field(name), `${this.#what}.${name}`);
  }

  /** `undefined` if it is absent or null. */
  optional(name: string): JsonFields | undefined {
    return (this.#field(name) ?? undefined) === undefined ? undefined : this.object(name);
  }

  texts(name: string): readonly string[] {
    const values = this.#list(name);
    return values.map((value, at) =>
      typeof value === "string" ? value : this.#refuse(`${name}[${at}]`, "no text"),
    );
  }

  objects(name: string): readonly JsonFields[] {
    return this.#list(name).map((value, at) => new JsonFields(value, `${this.#what}.${name}[${at}]`));
  }

  #list(name: string): readonly unknown[] {
    const value = this.#field(name);
    return Array.isArray(value) ? (value as readonly unknown[]) : this.#refuse(name, "no list");
  }

  /** Its own, never one that every object has. */
  #field(name: string): unknown {
    return Object.hasOwn(this.#value, name)
      ? (this.#value as { readonly [key: string]: unknown })[name]
      : undefined;
  }

  #refuse(name: string, what: string): never {
    throw new FormatError(`${this.#what}.${name} is ${what}`);
  }
}
