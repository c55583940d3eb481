/**
 * A certificate and its key, read from files and read again when those change. They are looked at, not
 * watched: what mounts secrets swaps links and directories, and no watcher sees that everywhere.
 *
 * A pair is used when both halves are there and belong together; until then the old one goes on, and the log
 * says so once the files have stood like that for two looks (whoever writes two files is in the middle for a
 * moment). Connections that are open keep what they began with.
 */
import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { RefusedError } from "../base/errors.ts";
import type { Logger } from "../ports/logger.ts";

export type TlsPair = { readonly cert: Buffer; readonly key: Buffer };

export type TlsPaths = { readonly certFile: string; readonly keyFile: string };

const LOOK_MS = 1000;

/** Throws what is wrong with it. */
function check({ cert, key }: TlsPair): void {
  createSecureContext({ cert, key });
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  throw new Error("the private key is not the certificate's");
}

function isSame(one: TlsPair, other: TlsPair): boolean {
  return one.cert.equals(other.cert) && one.key.equals(other.key);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #logger: Logger;
  readonly #users: ((pair: TlsPair) => void)[] = [];
  #pair: TlsPair;
  /** What was wrong at the last look, and whether the log has it. */
  #trouble: string | undefined;
  #isTold = false;
  #looking: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  private constructor(
    paths: TlsPaths,
    pair: TlsPair,
    options: { readonly logger: Logger; readonly lookMs: number },
  ) {
    this.#paths = paths;
    this.#pair = pair;
    this.#logger = options.logger;
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, options.lookMs);
    this.#timer.unref();
  }

  /** Throws RefusedError for a pair that cannot be used. */
  static async open(
    paths: TlsPaths,
    options: { readonly logger: Logger; readonly lookMs?: number },
  ): Promise<TlsFiles> {
    const { logger, lookMs = LOOK_MS } = options;
    try {
      const pair = await readPair(paths);
      check(pair);
      return new TlsFiles(paths, pair, { logger, lookMs });
    } catch (error) {
      const { certFile, keyFile } = paths;
      const message = `tls.certFile (${certFile}) and tls.keyFile (${keyFile}) cannot be used`;
      throw new RefusedError(`${message}: ${reasonOf(error)}`, { cause: error });
    }
  }

  get pair(): TlsPair {
    return this.#pair;
  }

  /** Told every pair that follows the present one. */
  follow(use: (pair: TlsPair) => void): void {
    this.#users.push(use);
  }

  async #look(): Promise<void> {
    try {
      const pair = await readPair(this.#paths);
      if (!isSame(pair, this.#pair)) {
        check(pair);
        this.#pair = pair;
        for (const use of this.#users) use(pair);
        this.#logger.info("the TLS certificate was read again", { certFile: this.#paths.certFile });
      }
      this.#trouble = undefined;
      this.#isTold = false;
    } catch (error) {
      this.#tell(reasonOf(error));
    }
  }

  #tell(trouble: string): void {
    if (this.#trouble !== trouble) this.#isTold = false;
    else if (!this.#isTold) {
      this.#isTold = true;
      const { certFile, keyFile } = this.#paths;
      this.#logger.error("the TLS files have changed and cannot be used: the pair before them goes on", {
        certFile,
        keyFile,
        reason: trouble,
      });
    }
    this.#trouble = trouble;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }
}

async function readPair({ certFile, keyFile }: TlsPaths): Promise<TlsPair> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  return { cert, key };
}
