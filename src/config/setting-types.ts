/**
 * The unit types of settings, as zod types from text to value.
 *
 * Every source (flag, environment, file, default) hands over text, so each type has one parser, and one
 * sentence that tells what is wrong and how to mend it. Promises: a message fits one line and never repeats a
 * secret. Where the text came from is put in front by whoever loads the configuration.
 */
import { z } from "zod";
import { parseAddress } from "./address.ts";
import { parseColdUrl } from "./cold-url.ts";
import { parseKeyPrefixes, parseStorageClasses } from "./tier-lists.ts";
import { formatDuration, parseDuration } from "./parse-duration.ts";
import { formatSize, parseSize } from "./parse-size.ts";
import { parsePeers } from "./peers.ts";

/** What is wrong with a value, or the value. A sentence, not an exception: a wrong setting is expected. */
type Parsed<T> = { readonly value: T } | { readonly wrong: string };

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

export interface ByteShare {
  readonly kind: "percent";
  readonly percent: number;
}
export interface ByteAmount {
  readonly kind: "bytes";
  readonly bytes: number;
}

/** `describe` carries the unit's name to help and `config show`. */
function textType<T>(unit: string, parse: (text: string) => Parsed<T>) {
  return z
    .string(`is not ${unit}`)
    .transform((text, context): T => {
      const parsed = parse(text);
      if ("value" in parsed) return parsed.value;
      context.addIssue({ code: "custom", message: parsed.wrong });
      return z.NEVER;
    })
    .describe(unit);
}

/** An optional setting keeps its unit's name. */
export function optional<T extends z.ZodType>(type: T) {
  return type.optional().describe(type.description ?? "text");
}

/** As error messages repeat a value: quoted, on one line, not endless. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

function parsedOr<T>(value: T | undefined, wrong: () => string): Parsed<T> {
  return value === undefined ? { wrong: wrong() } : { value };
}

function bounded(value: number, text: string, bounds: Bounds, format: (n: number) => string): Parsed<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds;
  if (value < min) return { wrong: `${quote(text)} is too little; give at least ${format(min)}` };
  if (value > max) return { wrong: `${quote(text)} is too much; give at most ${format(max)}` };
  return { value };
}

/** Bytes. */
export const size = (bounds: Bounds = {}) =>
  textType("a size", (text) => {
    const bytes = parseSize(text);
    if (bytes === undefined)
      return { wrong: `${quote(text)} is not a size; write one such as 64MiB or 512KB` };
    return bounded(bytes, text, bounds, formatSize);
  });

/** Milliseconds. */
export const duration = (bounds: Bounds = {}) =>
  textType("a duration", (text) => parseBoundedDuration(text, bounds));

/** Milliseconds, or `off`. */
export const durationOrOff = (bounds: Bounds = {}) =>
  textType("a duration or off", (text): Parsed<number | "off"> =>
    text === "off" ? { value: "off" } : parseBoundedDuration(text, bounds),
  );

function parseBoundedDuration(text: string, bounds: Bounds): Parsed<number> {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) {
    const missingUnit = /^\d+$/.test(text.trim());
    const wrong = missingUnit ? "has no unit" : "is not a duration";
    return { wrong: `${quote(text)} ${wrong}; write one such as 10s or 150ms` };
  }
  return bounded(milliseconds, text, bounds, formatDuration);
}

export const integer = (bounds: Bounds = {}) =>
  textType("a whole number", (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value))
      return { wrong: `${quote(text)} is not a whole number; write one such as 300` };
    return bounded(value, text, bounds, String);
  });

/** Dollars. */
export const price = () =>
  textType("a price", (text) =>
    parsedOr(
      /^\d{1,6}(\.\d{1,12})?$/.test(text) ? Number(text) : undefined,
      () => `${quote(text)} is not a price; write dollars such as 0.005`,
    ),
  );

export const address = () =>
  textType("an address", (text) =>
    parsedOr(
      parseAddress(text),
      () => `${quote(text)} is not an address; write host:port such as 127.0.0.1:9000`,
    ),
  );

/** A share of the disk or an amount of bytes. */
export const percentOrSize = () =>
  textType("a percentage or a size", (text): Parsed<ByteShare | ByteAmount> => {
    const percent = /^(\d{1,3})%$/.exec(text)?.[1];
    if (percent !== undefined && Number(percent) >= 1 && Number(percent) <= 100) {
      return { value: { kind: "percent", percent: Number(percent) } };
    }
    const bytes = parseSize(text);
    if (bytes !== undefined && bytes > 0) return { value: { kind: "bytes", bytes } };
    return { wrong: `${quote(text)} is neither; write 80% (1% to 100%) or a size such as 500GiB` };
  });

export const choice = <const T extends string>(values: readonly [T, ...T[]]) =>
  textType(values.join(" | "), (text) =>
    parsedOr(
      values.find((value) => value === text),
      () => `${quote(text)} is not one of the choices; write ${values.join(", ")}`,
    ),
  );

export const path = () =>
  textType("a path", (text) =>
    parsedOr(text.includes("\0") ? undefined : text, () => "the path holds a NUL byte; write it without"),
  );

/** Text of one shape, told by `unit` and shown by `example`. */
export const text = (unit: string, options: { readonly shape: RegExp; readonly example: string }) =>
  textType(unit, (value) =>
    parsedOr(
      options.shape.test(value) ? value : undefined,
      () => `${quote(value)} is not ${unit}; write one such as ${options.example}`,
    ),
  );

/** Keys and secrets: printable, without blanks, since they travel in headers and shell lines. Not echoed. */
export const key = (unit: string, bounds: { readonly min: number; readonly max: number }) =>
  textType(unit, (value) => {
    const { min, max } = bounds;
    if (!/^[\x21-\x7e]*$/.test(value)) {
      return { wrong: "holds blanks or characters outside ASCII; write printable ASCII without blanks" };
    }
    if (value.length < min) return { wrong: `has ${value.length} characters; write at least ${min}` };
    return value.length > max ? { wrong: `has ${value.length} characters; write at most ${max}` } : { value };
  });

export const httpUrl = () =>
  textType("an http or https URL", (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const plain =
      url !== undefined && url.username === "" && url.password === "" && /^https?:$/.test(url.protocol);
    return parsedOr(
      plain ? value.replace(/\/$/, "") : undefined,
      () => "is not a URL without credentials; write one such as https://s3.example.com",
    );
  });

export const coldUrl = () =>
  textType("a cold tier URL", (value) =>
    parsedOr(
      parseColdUrl(value),
      () => `${quote(value)} is not a cold tier; write s3://bucket/prefix, folder:/path or none`,
    ),
  );

/** By kind of object. */
export const storageClasses = () => textType("storage classes", (value) => parseStorageClasses(value));

/** Buckets, and beginnings of keys in them. */
export const keyPrefixes = () =>
  textType("a list of buckets and prefixes", (value) => parseKeyPrefixes(value));

export const peerList = () =>
  textType("a list of peers", (value) =>
    parsedOr(
      parsePeers(value),
      () => `${quote(value)} is not a list of peers; write n1=host:9002,n2=host:9002`,
    ),
  );

/** Of pages, as browsers send it: `https://app.example.com`, `https://*.example.com`, `*`. */
export const originList = () =>
  textType("a list of origins", (value): Parsed<readonly string[]> => {
    const origins = value.split(",").map((origin) => origin.trim());
    const shape = /^(?:\*|[a-z][a-z0-9+.-]*:\/\/[^\s/,*]*\*?[^\s/,*]*)$/;
    const wrong = origins.find((origin) => !shape.test(origin));
    if (wrong === undefined) return { value: origins };
    return {
      wrong: `${quote(wrong)} is not an origin; write one such as https://app.example.com, or *`,
    };
  });
