/**
 * What a copy is answered: the document that both kinds of copies have, and of which version it was made.
 */
import type { FoundObject } from "../service/api.ts";
import type { StoredChecksum } from "../state/attributes.ts";
import { copyResultXml } from "../s3/copy-xml.ts";
import { answer, writeHeaders } from "./answer.ts";
import { pushSourceVersion } from "./copy-source.ts";
import type { NamedSource } from "./copy-source.ts";
import type { Exchange } from "./exchange.ts";
import { pushVersion } from "./require-object.ts";

type Copied = {
  readonly etag: string;
  readonly modifiedMs: number;
  readonly checksum: StoredChecksum | undefined;
  readonly source: FoundObject;
  readonly versionId?: string | undefined;
};

export function answerCopied(
  exchange: Exchange,
  element: "CopyObjectResult" | "CopyPartResult",
  { copied, source }: { readonly copied: Copied; readonly source: NamedSource },
): void {
  const { etag, modifiedMs: lastModifiedMs, checksum } = copied;
  const headers = writeHeaders(exchange);
  pushVersion(headers, copied.versionId);
  pushSourceVersion(headers, source, copied.source);
  headers.push("Content-Type", "application/xml");
  answer(exchange, 200, headers, copyResultXml(element, { etag, lastModifiedMs, checksum }));
}
