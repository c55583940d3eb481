/**
 * The head lines that tell the client which checksum was stored.
 */
import { checksumHeaderName } from "../s3/checksum-headers.ts";
import type { StoredChecksum } from "../state/attributes.ts";

export function pushChecksum(
  headers: string[],
  checksum: StoredChecksum | undefined,
  options: { readonly withType: boolean },
): void {
  if (checksum === undefined) return;
  headers.push(checksumHeaderName(checksum.algorithm), checksum.value);
  if (options.withType) headers.push("x-amz-checksum-type", checksum.type);
}
