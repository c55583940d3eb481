/**
 * Decodes `aws-chunked` bodies as their bytes arrive: signed chunks, signed chunks with a signed trailer,
 * unsigned chunks with a trailer.
 *
 * push() hands out slices of what it was given, without copying. Payload is handed out before its chunk's
 * signature is known: what a caller made of it may be committed only after end() returned, which is never for
 * a body with one wrong signature, a wrong length or a missing byte. After the first error every further call
 * throws it again. Lines are bounded, sizes are bounded by what the request declared, and chunks may be of
 * any size.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */

import { createHash, hash } from "node:crypto";
import type { Hash } from "node:crypto";

import { s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import { EMPTY_SHA256 } from "./payload-hash.ts";
import { signatureMismatch, signaturesEqual, signHex } from "./signature.ts";
import type { ChunkSigning } from "./signature.ts";

export type AwsChunkedOptions = {
  /**
   * Verifies each chunk, and the trailer if one is announced; absent for STREAMING-UNSIGNED-PAYLOAD-TRAILER.
   */
  readonly signing?: ChunkSigning | undefined;
  /** x-amz-decoded-content-length; a stream of unknown length has none. */
  readonly decodedLength?: number | undefined;
  /** What x-amz-trailer announced, lower case: exactly these must come. */
  readonly trailerNames?: readonly string[];
  /** The most payload that is taken when no length was declared. */
  readonly payloadBytesMax: number;
};

export type Trailers = Readonly<Record<string, string>>;

const LINE_BYTES_MAX = 1024;
const TRAILER_LINES_MAX = 16;
const CHUNK_SIGNATURE = "chunk-signature=";
const TRAILER_SIGNATURE = "x-amz-trailer-signature";
const CR = 13;
const LF = 10;
const HEX_SIZE = /^[0-9a-fA-F]{1,13}$/;
const NOTHING: readonly Buffer[] = [];

type State = "size" | "data" | "dataEnd" | "trailer" | "done";

function malformed(): S3Error {
  return s3Error("IncompleteBody", { message: "The request body terminated unexpectedly" });
}

export class AwsChunkedDecoder {
  readonly #signing: ChunkSigning | undefined;
  readonly #decodedLength: number | undefined;
  readonly #trailerNames: readonly string[];
  readonly #payloadBytesMax: number;

  #state: State = "size";
  #failure: unknown;
  /** The beginning of a line whose end has not arrived yet. */
  #partialLine = "";
  #chunkLeft = 0;
  #chunkHash: Hash | undefined;
  /** SHA-256 of a chunk that arrived in one piece: hashed at once instead of step by step. */
  #chunkHashHex = EMPTY_SHA256;
  #chunkSignature = "";
  #previousSignature: string;
  #payloadBytes = 0;
  #trailerText = "";
  #trailerLines = 0;
  readonly #trailers: Record<string, string> = {};
  #trailerSignature: string | undefined;

  constructor(options: AwsChunkedOptions) {
    this.#signing = options.signing;
    this.#decodedLength = options.decodedLength;
    this.#trailerNames = options.trailerNames ?? [];
    this.#payloadBytesMax = options.decodedLength ?? options.payloadBytesMax;
    this.#previousSignature = options.signing?.seedSignature ?? "";
  }

  /** Payload bytes handed out so far. */
  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** The payload within the next bytes of the wire, as slices of them. */
  push(wire: Buffer): readonly Buffer[] {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#consume(wire);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** To be called after the last byte of the wire; returns the trailers, lower case. */
  end(): Trailers {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state !== "done") this.#failure = malformed();
    else if (this.#decodedLength !== undefined && this.#payloadBytes !== this.#decodedLength) {
      this.#failure = s3Error("IncompleteBody");
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#trailers;
  }

  #consume(wire: Buffer): readonly Buffer[] {
    let payload: Buffer[] | undefined;
    let at = 0;
    while (at < wire.length) {
      if (this.#state === "data") {
        const end = Math.min(wire.length, at + this.#chunkLeft);
        const slice = at === 0 && end === wire.length ? wire : wire.subarray(at, end);
        this.#takeData(slice);
        (payload ??= []).push(slice);
        at = end;
      } else {
        at = this.#takeLine(wire, at);
      }
    }
    return payload ?? NOTHING;
  }

  #takeData(slice: Buffer): void {
    if (this.#signing !== undefined) {
      const isWholeChunk = this.#chunkHash === undefined && slice.length === this.#chunkLeft;
      if (isWholeChunk) this.#chunkHashHex = hash("sha256", slice, "hex");
      else (this.#chunkHash ??= createHash("sha256")).update(slice);
    }
    this.#payloadBytes += slice.length;
    this.#chunkLeft -= slice.length;
    if (this.#chunkLeft === 0) {
      this.#verifyChunk();
      this.#state = "dataEnd";
    }
  }

  /** Collects up to CRLF; returns where the rest of the wire begins. */
  #takeLine(wire: Buffer, at: number): number {
    if (this.#state === "done") throw malformed();
    const lineFeed = wire.indexOf(LF, at);
    const end = lineFeed < 0 ? wire.length : lineFeed + 1;
    if (this.#partialLine.length + end - at > LINE_BYTES_MAX) throw malformed();
    const line = this.#partialLine + wire.toString("latin1", at, end);
    // A lone LF does not end a line: clients following AWS's example end a trailer with LF CR LF.
    if (lineFeed < 0 || line.charCodeAt(line.length - 2) !== CR) {
      this.#partialLine = line;
      return end;
    }
    this.#partialLine = "";
    this.#lineComplete(line.slice(0, -2));
    return end;
  }

  #lineComplete(line: string): void {
    if (this.#state === "size") return this.#startChunk(line);
    if (this.#state === "trailer") return this.#takeTrailer(line.trim());
    if (line !== "") throw malformed();
    this.#state = "size";
  }

  #startChunk(line: string): void {
    const semicolon = line.indexOf(";");
    const sizeText = semicolon < 0 ? line : line.slice(0, semicolon);
    if (!HEX_SIZE.test(sizeText)) throw malformed();
    const size = Number.parseInt(sizeText, 16);
    if (this.#signing !== undefined) {
      const extension = semicolon < 0 ? "" : line.slice(semicolon + 1).trim();
      if (!extension.startsWith(CHUNK_SIGNATURE)) throw malformed();
      this.#chunkSignature = extension.slice(CHUNK_SIGNATURE.length);
    }
    if (this.#payloadBytes + size > this.#payloadBytesMax) throw this.#tooLong();
    this.#chunkLeft = size;
    this.#chunkHash = undefined;
    this.#chunkHashHex = EMPTY_SHA256;
    if (size > 0) {
      this.#state = "data";
      return;
    }
    this.#verifyChunk();
    this.#state = "trailer";
  }

  #tooLong(): S3Error {
    return this.#decodedLength === undefined ? s3Error("EntityTooLarge") : s3Error("IncompleteBody");
  }

  /**
   * string-to-sign of a chunk: the chain over the previous signature makes reordering and cutting visible.
   */
  #verifyChunk(): void {
    const signing = this.#signing;
    if (signing === undefined) return;
    const sha256 = this.#chunkHash === undefined ? this.#chunkHashHex : this.#chunkHash.digest("hex");
    const { timestamp, scope } = signing;
    const previous = this.#previousSignature;
    const head = `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${previous}`;
    this.#verify(signing, `${head}\n${EMPTY_SHA256}\n${sha256}`, this.#chunkSignature);
    this.#previousSignature = this.#chunkSignature;
  }

  #verify(signing: ChunkSigning, stringToSign: string, provided: string): void {
    if (signaturesEqual(signHex(signing.key, stringToSign), provided)) return;
    throw signatureMismatch({ accessKey: signing.accessKey, stringToSign, provided });
  }

  #takeTrailer(line: string): void {
    if (line === "") return this.#finish();
    if (++this.#trailerLines > TRAILER_LINES_MAX) throw s3Error("MalformedTrailerError");
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === TRAILER_SIGNATURE && this.#signing !== undefined) {
      this.#trailerSignature = value;
      return;
    }
    const isExpected = this.#trailerNames.includes(name) && !Object.hasOwn(this.#trailers, name);
    if (!isExpected || this.#trailerSignature !== undefined) throw s3Error("MalformedTrailerError");
    this.#trailers[name] = value;
    this.#trailerText += `${name}:${value}\n`;
  }

  #finish(): void {
    if (Object.keys(this.#trailers).length !== this.#trailerNames.length)
      throw s3Error("MalformedTrailerError");
    const signing = this.#signing;
    if (signing !== undefined && this.#trailerNames.length > 0) {
      const { timestamp, scope } = signing;
      const sha256 = hash("sha256", this.#trailerText, "hex");
      const head = `AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${this.#previousSignature}`;
      this.#verify(signing, `${head}\n${sha256}`, this.#trailerSignature ?? "");
    } else if (this.#trailerSignature !== undefined) {
      throw s3Error("MalformedTrailerError");
    }
    this.#state = "done";
  }
}

const DIGITS = /^\d{1,15}$/;

/** x-amz-decoded-content-length; undefined when the client did not know it. */
export function parseDecodedLength(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (DIGITS.test(text)) return Number(text);
  throw s3Error("InvalidRequest", { message: "Value for x-amz-decoded-content-length header is invalid." });
}
