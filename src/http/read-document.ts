/**
 * The XML body of a request, checked like any other body and read into a tree. An absent one is `undefined`.
 */
import { finishInSteps } from "../base/steps.ts";
import type { Steps } from "../base/steps.ts";
import { authorizeAgain } from "./authorize.ts";
import { readXml } from "../s3/xml-read.ts";
import type { XmlElement } from "../s3/xml-read.ts";
import type { Trailers } from "../s3/aws-chunked.ts";
import { BodyDigests } from "./body-digests.ts";
import { freeBuffer } from "./borrowed-buffers.ts";
import { planBody } from "./body-plan.ts";
import type { BodyPlan } from "./body-plan.ts";
import type { Exchange } from "./exchange.ts";
import { readWhole } from "./read-whole.ts";

export type DocumentRules = {
  readonly bytesMax: number;
  /** For CompleteMultipartUpload, whose checksum headers speak of the object and not of this document. */
  readonly ignoresChecksums?: boolean;
};

/** MD5 and SHA-256 of so many bytes take half a millisecond. */
const DIGEST_STEP_BYTES = 256 * 1024;

export async function readDocument(
  exchange: Exchange,
  rules: DocumentRules,
): Promise<XmlElement | undefined> {
  const bytesMax = Math.min(rules.bytesMax, exchange.edge.options.limits.xmlBytesMax);
  const ignoresChecksums = rules.ignoresChecksums === true;
  const plan = planBody(exchange, { bytesMax, needsLength: false, isDocument: true, ignoresChecksums });
  exchange.takeCredits(plan.length ?? bytesMax);
  const { bytes, trailers } = await readWhole(exchange, plan);
  const { clock } = exchange.edge.options;
  try {
    await finishInSteps(checkDigests(plan, bytes, trailers), clock);
    authorizeAgain(exchange);
    return bytes.length === 0 ? undefined : await finishInSteps(readXml(bytes, { bytesMax }), clock);
  } finally {
    freeBuffer(bytes);
  }
}

/** For operations whose requests have no body: one that comes all the same is refused. */
export async function readWithoutBody(exchange: Exchange): Promise<void> {
  const plan = planBody(exchange, {
    bytesMax: 0,
    needsLength: false,
    isDocument: true,
    ignoresChecksums: true,
  });
  const { bytes } = await readWhole(exchange, plan);
  freeBuffer(bytes);
}

function* checkDigests(plan: BodyPlan, bytes: Buffer, trailers: Trailers): Steps<void> {
  const digests = new BodyDigests(plan);
  for (let at = 0; at < bytes.length; at += DIGEST_STEP_BYTES) {
    if (at > 0) yield;
    digests.update(bytes.subarray(at, at + DIGEST_STEP_BYTES));
  }
  digests.finish(trailers);
}
