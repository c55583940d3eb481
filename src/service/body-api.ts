/** Objects as readers get them, and bodies on their way in: what all of the service's types are about. */
import type { Attributes } from "../state/attributes.ts";

/** An object as readers get it. Instances are shared by concurrent readers: never change one. */
export type FoundObject = {
  readonly size: number;
  readonly modifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
  readonly attributes: Attributes;
  /** The whole body if it is small enough to have come along; read others with `read`. */
  readonly bytes: Uint8Array | undefined;
  /** Number of parts of an object that was uploaded in parts, else 0. */
  readonly partCount: number;
  readonly tagCount: number;
  /** Where it was born: with an id of its own this is its version id, else that is "null". */
  readonly birthIndex: number;
  readonly birthSub: number;
  readonly hasVersionId: boolean;
  /** A place for the edge to keep what it derived from this object (prebuilt headers); starts undefined. */
  edge: unknown;
};

export type PutBody =
  /** The bytes become the store's: the caller must not change them any more. At most SMALL_BODY_BYTES_MAX. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** What a BodyWriter wrote. */
  | { readonly kind: "written"; readonly writer: BodyWriter };

/**
 * A body on its way in. Writes are proposals that go on in the background; `write` waits only while too many
 * are under way, and rejects when an earlier one failed. Naming the writer in a put finishes it; `abort`
 * gives the body up and is harmless afterwards.
 */
export interface BodyWriter {
  readonly size: number;
  /**
   * The bytes, or pieces of them in order, are lent to the store and must not change. `onStored` is called
   * once they are stored and nobody looks at them any more; never, if that fails.
   */
  write(
    bytes: Uint8Array | readonly Uint8Array[],
    options?: { readonly onStored?: () => void },
  ): Promise<void>;
  abort(): void;
  /** Resolves when none of its bytes is under way any more: until then they take memory. */
  settled(): Promise<void>;
}
