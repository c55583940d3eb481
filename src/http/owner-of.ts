/**
 * Accounts as S3's documents show them: a canonical id of 64 hex digits and a name. The id follows from the
 * account's own, so it is the same after a restart and on every node.
 */
import { hash } from "node:crypto";
import type { Owner } from "../s3/absent.ts";
import type { Exchange } from "./exchange.ts";

export function canonicalId(accountId: string): string {
  return hash("sha256", `thermocline account ${accountId}`, "hex");
}

/** An account that is gone from the settings still owns its buckets; its id stands for its name then. */
export function accountShown(exchange: Exchange, accountId: string): Owner {
  const displayName = exchange.edge.service.identities.displayName(accountId) ?? accountId;
  return { id: canonicalId(accountId), displayName };
}

/** Of the bucket that the request is about, and so of all in it; without a bucket, whoever asks. */
export function ownerOf(exchange: Exchange): Owner {
  return accountShown(exchange, exchange.bucket?.owner ?? exchange.identity.accountId);
}
