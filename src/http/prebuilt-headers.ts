/**
 * The head lines of a whole object, built at its first read and kept in `FoundObject.edge`: on a hit nothing
 * is left to do but to put in what differs per answer. Lists are shared by concurrent readers; that is safe
 * because `writeHead` turns a list into text before it returns.
 */
import { objectHeaders } from "../s3/response-headers.ts";
import type { FoundObject, Tier } from "../service/api.ts";
import { SERVER_NAME } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { describeObject } from "./object-attributes.ts";
import { requireBucket } from "./require-bucket.ts";
import { pushVersion, shownVersionId } from "./require-object.ts";

/** A class, because `FoundObject.edge` is unknown to everybody else. */
class Prebuilt {
  readonly plain: string[];
  /** For `x-amz-checksum-mode: ENABLED`; the same list where there is no checksum. */
  readonly withChecksum: string[];
  /** Whether they tell the version: what is written before versioning gets a name by it. */
  readonly isVersioned: boolean;

  constructor(plain: string[], withChecksum: string[], isVersioned: boolean) {
    this.plain = plain;
    this.withChecksum = withChecksum;
    this.isVersioned = isVersioned;
  }
}

const REQUEST_ID_AT = 1;
const APPLIED_INDEX_AT = 3;
const TIER_AT = 11;

export const TIER_HEADER = "x-thermocline-tier";

function prebuild(exchange: Exchange, found: FoundObject): Prebuilt {
  const object = describeObject(found, { showPartsCount: false });
  const base = [
    "x-amz-request-id",
    "",
    "x-thermocline-applied-index",
    "",
    "x-amz-id-2",
    exchange.edge.ids.hostId,
    "Server",
    SERVER_NAME,
    "x-thermocline-consistency",
    exchange.edge.consistency,
    TIER_HEADER,
    "",
  ];
  const versionId = shownVersionId(exchange, found);
  pushVersion(base, versionId);
  const isVersioned = versionId !== undefined;
  const plain = [...base, ...objectHeaders({ object })];
  if (object.checksum === undefined) return new Prebuilt(plain, plain, isVersioned);
  return new Prebuilt(plain, [...base, ...objectHeaders({ object, showChecksum: true })], isVersioned);
}

export function wholeObjectHeaders(
  exchange: Exchange,
  found: FoundObject,
  options: { readonly showChecksum: boolean; readonly tier: Tier },
): string[] {
  const known = found.edge;
  const isVersioned = requireBucket(exchange).versioning !== undefined;
  const isFit = known instanceof Prebuilt && known.isVersioned === isVersioned;
  const prebuilt = isFit ? known : prebuild(exchange, found);
  found.edge = prebuilt;
  const list = options.showChecksum ? prebuilt.withChecksum : prebuilt.plain;
  const { edge } = exchange;
  list[REQUEST_ID_AT] = exchange.requestId;
  list[APPLIED_INDEX_AT] = String(edge.options.appliedIndex());
  list[TIER_AT] = options.tier;
  const { corsLines } = exchange;
  if (corsLines === undefined && !edge.isDraining) return list;
  return [...list, ...(corsLines ?? []), ...(edge.isDraining ? ["Connection", "close"] : [])];
}
