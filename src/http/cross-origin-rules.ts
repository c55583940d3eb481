/**
 * The cross-origin rules that hold for a bucket: its own, and behind them the one for all buckets. Read where
 * the bucket's settings are, one local read; taken apart once per document.
 */
import { readCorsDocument, ruleForOrigins } from "../s3/cors.ts";
import type { CorsRule } from "../s3/cors.ts";
import { BoundedMemo } from "../s3/bounded-memo.ts";
import type { EdgeOptions } from "./edge-options.ts";

const DOCUMENTS_MAX = 256;

export class CrossOriginRules {
  readonly #service: EdgeOptions["service"];
  readonly #forAll: readonly CorsRule[];
  /** Rules by their document. */
  readonly #memo = new BoundedMemo<readonly CorsRule[]>({ entriesMax: DOCUMENTS_MAX });

  constructor(options: Pick<EdgeOptions, "service" | "corsAllowOrigin">) {
    const { service, corsAllowOrigin } = options;
    this.#service = service;
    this.#forAll = corsAllowOrigin.length === 0 ? [] : [ruleForOrigins(corsAllowOrigin)];
  }

  rulesOf(bucket: string): readonly CorsRule[] {
    const stored = bucket === "" ? undefined : this.#service.buckets.setting(bucket, "cors");
    if (stored === undefined) return this.#forAll;
    let rules = this.#memo.get(stored);
    if (rules === undefined) {
      rules = [...readCorsDocument(stored), ...this.#forAll];
      this.#memo.set(stored, rules);
    }
    return rules;
  }
}
