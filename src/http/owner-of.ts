/**
 * The owner as S3's documents show it. Only owners get answers, so it is always whoever asks.
 */
import type { Owner } from "../s3/absent.ts";
import type { Exchange } from "./exchange.ts";

export function ownerOf(exchange: Exchange): Owner {
  const { accountId, displayName } = exchange.identity;
  return { id: accountId, displayName };
}
