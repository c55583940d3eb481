/**
 * Cross-origin rules of a bucket: read from the request document, checked as AWS checks them, kept as JSON,
 * written back as XML, and asked which head lines a browser has to see. Rules decide nothing about access:
 * they tell browsers which pages may look at an answer that the signature already allowed.
 */

import { invalidArgument, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import { malformedXml } from "./xml-read.ts";
import type { XmlElement } from "./xml-read.ts";
import { document, element, optionalElement } from "./xml-write.ts";

export const CORS_BYTES_MAX = 64 * 1024;
const RULES_MAX = 100;
const ID_CHARACTERS_MAX = 255;
const METHODS: ReadonlySet<string> = new Set(["GET", "PUT", "HEAD", "POST", "DELETE"]);

export type CorsRule = {
  readonly id: string | undefined;
  readonly allowedHeaders: readonly string[];
  readonly allowedMethods: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number | undefined;
};

function invalid(message: string): S3Error {
  return s3Error("InvalidRequest", { message });
}

function hasManyWildcards(pattern: string): boolean {
  return pattern.indexOf("*") !== pattern.lastIndexOf("*");
}

function checkRule(rule: CorsRule): CorsRule {
  for (const origin of rule.allowedOrigins) {
    if (hasManyWildcards(origin))
      throw invalid(`AllowedOrigin "${origin}" can not have more than one wildcard.`);
  }
  for (const method of rule.allowedMethods) {
    if (METHODS.has(method)) continue;
    throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${method}`);
  }
  for (const header of rule.allowedHeaders) {
    if (hasManyWildcards(header))
      throw invalid(`AllowedHeader "${header}" can not have more than one wildcard.`);
  }
  for (const header of rule.exposeHeaders) {
    if (!header.includes("*")) continue;
    throw invalid(
      `ExposeHeader "${header}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
    );
  }
  if (rule.id !== undefined && rule.id.length > ID_CHARACTERS_MAX)
    throw invalidArgument("ID must be at most 255 characters", "ID");
  return rule;
}

/** A line break in a name or an origin would become one in an answer's head. */
const PRINTABLE = /^[\x20-\x7e]+$/;

function texts(rule: XmlElement, name: string): readonly string[] {
  const found = rule.children.filter((child) => child.name === name).map((child) => child.text.trim());
  if (name !== "ID" && found.some((text) => !PRINTABLE.test(text))) throw malformedXml();
  return found;
}

const FIELDS: ReadonlySet<string> = new Set([
  "ID",
  "AllowedHeader",
  "AllowedMethod",
  "AllowedOrigin",
  "ExposeHeader",
  "MaxAgeSeconds",
]);

function parseRule(rule: XmlElement): CorsRule {
  if (rule.name !== "CORSRule") throw malformedXml();
  if (rule.children.some((child) => !FIELDS.has(child.name) || child.children.length > 0))
    throw malformedXml();
  const [ids, ages] = [texts(rule, "ID"), texts(rule, "MaxAgeSeconds")];
  const allowedMethods = texts(rule, "AllowedMethod");
  const allowedOrigins = texts(rule, "AllowedOrigin");
  const isWhole = allowedMethods.length > 0 && allowedOrigins.length > 0;
  if (!isWhole || ids.length > 1 || ages.length > 1) throw malformedXml();
  const [age] = ages;
  if (age !== undefined && !/^\d{1,9}$/.test(age)) throw malformedXml();
  return checkRule({
    id: ids[0],
    allowedHeaders: texts(rule, "AllowedHeader"),
    allowedMethods,
    allowedOrigins,
    exposeHeaders: texts(rule, "ExposeHeader"),
    maxAgeSeconds: age === undefined ? undefined : Number(age),
  });
}

export function parseCors(root: XmlElement): readonly CorsRule[] {
  if (root.name !== "CORSConfiguration" || root.children.length === 0) throw malformedXml();
  if (root.children.length > RULES_MAX) {
    throw invalid("The number of CORS rules should not exceed allowed limit of 100 rules.");
  }
  return root.children.map(parseRule);
}

export function corsXml(rules: readonly CorsRule[]): string {
  const all = (name: string, values: readonly string[]): string =>
    values.map((value) => element(name, value)).join("");
  const body = rules.map((rule) => {
    const { id, allowedHeaders, allowedMethods, allowedOrigins, exposeHeaders, maxAgeSeconds } = rule;
    return (
      `<CORSRule>${optionalElement("ID", id)}${all("AllowedHeader", allowedHeaders)}` +
      `${all("AllowedMethod", allowedMethods)}${all("AllowedOrigin", allowedOrigins)}` +
      all("ExposeHeader", exposeHeaders) +
      `${optionalElement("MaxAgeSeconds", maxAgeSeconds?.toString())}</CORSRule>`
    );
  });
  return document("CORSConfiguration", body.join(""));
}

/** As it is kept with the bucket. `undefined` fields are left out. */
export function corsDocument(rules: readonly CorsRule[]): string {
  return JSON.stringify({ version: 1, rules });
}

export function readCorsDocument(text: string): readonly CorsRule[] {
  const { rules } = JSON.parse(text) as { readonly rules: readonly CorsRule[] };
  return rules;
}

/** What a browser asks for, in a preflight or by sending the request itself. */
export type CorsQuestion = {
  readonly origin: string;
  readonly method: string;
  /** Names in Access-Control-Request-Headers; empty for the request itself. */
  readonly headers: readonly string[];
};

function fits(pattern: string, text: string): boolean {
  const star = pattern.indexOf("*");
  if (star < 0) return pattern === text;
  const [start, end] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end);
}

function allowsHeaders(rule: CorsRule, headers: readonly string[]): boolean {
  return headers.every((header) =>
    rule.allowedHeaders.some((pattern) => fits(pattern.toLowerCase(), header.toLowerCase())),
  );
}

const VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
/**
 * For every other answer where there are rules: a cache that keeps it must not show it to a page whose origin
 * they allow, which would miss the lines that say so.
 */
export const VARY_LINES = ["Vary", VARY] as const;

/** The head lines of the first rule that fits; `undefined` if none does. */
export function corsHeaders(rules: readonly CorsRule[], question: CorsQuestion): string[] | undefined {
  for (const rule of rules) {
    const pattern = rule.allowedOrigins.find((allowed) => fits(allowed, question.origin));
    if (pattern === undefined || !rule.allowedMethods.includes(question.method)) continue;
    if (!allowsHeaders(rule, question.headers)) continue;
    const isForAll = pattern === "*";
    const lines = ["Access-Control-Allow-Origin", isForAll ? "*" : question.origin];
    lines.push("Access-Control-Allow-Methods", rule.allowedMethods.join(", "));
    if (question.headers.length > 0)
      lines.push("Access-Control-Allow-Headers", question.headers.join(", ").toLowerCase());
    if (rule.exposeHeaders.length > 0)
      lines.push("Access-Control-Expose-Headers", rule.exposeHeaders.join(", "));
    if (rule.maxAgeSeconds !== undefined) lines.push("Access-Control-Max-Age", String(rule.maxAgeSeconds));
    // What is for all must not be for cookies; browsers refuse the two together.
    if (!isForAll) lines.push("Access-Control-Allow-Credentials", "true");
    lines.push(...VARY_LINES);
    return lines;
  }
  return undefined;
}

/** Of the setting that allows origins for all buckets. */
export function ruleForOrigins(allowedOrigins: readonly string[]): CorsRule {
  return {
    id: undefined,
    allowedHeaders: ["*"],
    allowedMethods: [...METHODS],
    allowedOrigins,
    exposeHeaders: [
      "ETag",
      "Content-Range",
      "x-amz-request-id",
      "x-amz-id-2",
      "x-amz-version-id",
      "x-amz-delete-marker",
      "x-amz-bucket-region",
    ],
    maxAgeSeconds: 3600,
  };
}
