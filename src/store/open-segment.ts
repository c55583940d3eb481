/**
 * A segment that is still being written, or cut and waiting for its footer: what the footer will need, and
 * where the next record goes. This is the writer's memory; the file may be a batch behind.
 */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { logIndex } from "../base/units.ts";
import { encodeFooter } from "../segment/footer.ts";
import type { ChainValue, RecordType } from "../segment/record.ts";
import { cutsAfter, segmentBytesAfter } from "../segment/cut.ts";
import type { DiskFile } from "../ports/disk.ts";

export class OpenSegment {
  readonly id: number;
  readonly firstIndex: number;
  /** Undefined until the first write needs it. */
  file: DiskFile | undefined;
  #bytes = 0;
  #chain: ChainValue;
  #cut = false;
  readonly #payloadLengths: number[] = [];
  readonly #headers: Hash = createHash("sha256");
  #footer: Buffer | undefined;

  constructor(start: { readonly id: number; readonly firstIndex: number; readonly chain: ChainValue }) {
    this.id = start.id;
    this.firstIndex = start.firstIndex;
    this.#chain = start.chain;
  }

  /** Bytes of head and records so far; 0 before the first record. */
  get bytes(): number {
    return this.#bytes;
  }

  get chain(): ChainValue {
    return this.#chain;
  }

  get cut(): boolean {
    return this.#cut;
  }

  /** The last entry; firstIndex - 1 while empty. */
  get lastIndex(): number {
    return this.firstIndex + this.#payloadLengths.length - 1;
  }

  grow(
    record: { readonly type: RecordType; readonly payloadBytes: number; readonly headerBytes: Buffer },
    chain: ChainValue,
    segmentBytesMax: number,
  ): void {
    this.#bytes = segmentBytesAfter(this.#bytes, record.payloadBytes);
    this.#payloadLengths.push(record.payloadBytes);
    this.#headers.update(record.headerBytes);
    this.#chain = chain;
    this.#cut = cutsAfter(record.type, this.#bytes, segmentBytesMax);
  }

  /** Of a segment that has been cut. */
  footer(): Buffer {
    this.#footer ??= encodeFooter({
      firstIndex: logIndex(this.firstIndex),
      lastIndex: logIndex(this.lastIndex),
      endChain: this.#chain,
      headersDigest: this.#headers.digest(),
      payloadLengths: this.#payloadLengths,
    });
    return this.#footer;
  }
}
