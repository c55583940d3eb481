/**
 * Counts what was asked of the cold tier: requests by operation, kind of object and status, bytes by kind and
 * direction. Fed by the adapter with each request that it sends, retries among them, so that the figures are
 * those of the endpoint and of its bill.
 */
import type { ColdOperation, ColdRequest } from "../ports/cold-store.ts";
import { coldKindIn } from "./cold-names.ts";
import { NO_USAGE, USAGE_KINDS } from "./cost.ts";
import type { Usage, UsageByKind, UsageKind } from "./cost.ts";

type Writable<Row> = { -readonly [Field in keyof Row]: Row[Field] };

/** `none`: there was no answer. */
export type ColdStatus = "2xx" | "3xx" | "4xx" | "5xx" | "none";

export type ColdTally = {
  readonly operation: ColdOperation;
  readonly kind: UsageKind;
  readonly status: ColdStatus;
  readonly requests: number;
};

const FIELDS: { readonly [Operation in ColdOperation]: "puts" | "gets" | "heads" | "lists" | "deletes" } = {
  put: "puts",
  get: "gets",
  head: "heads",
  list: "lists",
  delete: "deletes",
};

export class ColdMeter {
  readonly #usage: { readonly [Kind in UsageKind]: Writable<Usage> } = emptyUsage();
  readonly #tallies = new Map<string, Writable<ColdTally>>();

  /** May be handed around alone. */
  readonly count = (request: ColdRequest): void => {
    const { operation, key, status, sentBytes, receivedBytes } = request;
    const kind = coldKindIn(key) ?? "other";
    const usage = this.#usage[kind];
    usage[FIELDS[operation]]++;
    usage.bytesIn += sentBytes;
    usage.bytesOut += receivedBytes;
    this.#tallyOf(operation, kind, statusOf(status)).requests++;
  };

  /** Since this was made. What is stored is not known here: it is 0. */
  get usage(): UsageByKind {
    return this.#usage;
  }

  get tallies(): Iterable<ColdTally> {
    return this.#tallies.values();
  }

  #tallyOf(operation: ColdOperation, kind: UsageKind, status: ColdStatus): Writable<ColdTally> {
    const name = `${operation} ${kind} ${status}`;
    const known = this.#tallies.get(name);
    if (known !== undefined) return known;
    const made = { operation, kind, status, requests: 0 };
    this.#tallies.set(name, made);
    return made;
  }
}

function emptyUsage(): { readonly [Kind in UsageKind]: Writable<Usage> } {
  const entries = USAGE_KINDS.map((kind) => [kind, { ...NO_USAGE }]);
  return Object.fromEntries(entries) as { readonly [Kind in UsageKind]: Writable<Usage> };
}

function statusOf(status: number): ColdStatus {
  if (status < 200 || status > 599) return "none";
  if (status < 300) return "2xx";
  if (status < 400) return "3xx";
  return status < 500 ? "4xx" : "5xx";
}
