/**
 * The XML body of a request, checked like any other body and read into a tree. An absent one is `undefined`.
 */
import { readXml } from "../s3/xml-read.ts";
import type { XmlElement } from "../s3/xml-read.ts";
import { authorizeAgain } from "./authorize.ts";
import { digestWhole } from "./body-digests.ts";
import { freeBuffer } from "./borrowed-buffers.ts";
import { planBody } from "./body-plan.ts";
import type { Exchange } from "./exchange.ts";
import { readWhole } from "./read-whole.ts";

export type DocumentRules = {
  readonly bytesMax: number;
  /** For CompleteMultipartUpload, whose checksum headers speak of the object and not of this document. */
  readonly ignoresChecksums?: boolean;
};

export async function readDocument(
  exchange: Exchange,
  rules: DocumentRules,
): Promise<XmlElement | undefined> {
  const bytesMax = Math.min(rules.bytesMax, exchange.edge.options.limits.xmlBytesMax);
  const ignoresChecksums = rules.ignoresChecksums === true;
  const plan = planBody(exchange, { bytesMax, needsLength: false, isDocument: true, ignoresChecksums });
  exchange.takeCredits(plan.length ?? bytesMax);
  const { bytes, trailers } = await readWhole(exchange, plan);
  try {
    digestWhole(plan, bytes, trailers);
    authorizeAgain(exchange);
    return bytes.length === 0 ? undefined : readXml(bytes, { bytesMax });
  } finally {
    freeBuffer(bytes);
  }
}
