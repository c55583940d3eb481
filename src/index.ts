/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The library face: a server inside the caller's process, over a data directory or in memory. It reads no
 * environment and no file; settings are those of the command line, by the names of the configuration file, as
 * text. For tests there are buckets from the start, faults on purpose, and, in memory, a fresh store whenever
 * it is asked for.
 */
import { totalmem } from "node:os";
import { jsonLogger } from "./adapters/json-logger.ts";
import type { Config } from "./config/config.ts";
import { loadConfig } from "./config/load-config.ts";
import type { ConfigOptions } from "./config/read-options.ts";
import { Faults } from "./http/faults.ts";
import type { AddedFault, Fault, FaultInjection } from "./http/faults.ts";
import { operationTable } from "./http/operation-table.ts";
import { S3Error } from "./s3/errors.ts";
import { checkBucketName } from "./s3/names.ts";
import { ROOT_ACCOUNT_ID } from "./service/identities.ts";
import type { StoreService } from "./service/store-service.ts";
import { endpointOf, rootOf, startServer } from "./start-server.ts";
import type { RunningServer, Storage } from "./start-server.ts";

export type { AddedFault, Fault, FaultInjection };

export type Account = {
  readonly id: string;
  /** The id, if left out. */
  readonly displayName?: string;
  readonly accessKey: string;
  readonly secretKey: string;
};

export type ServerOptions = {
  /**
   * Keeps everything in memory and touches no file; what is stored is gone after `close`. Without it a server
   * works on a data directory, like `thermocline dev`.
   */
  readonly memory?: boolean;
  /**
   * In memory: how much may be stored, log and rows together; when four fifths are taken, writes of bodies
   * get 503. If left out, a quarter of the machine's memory, at most 1 GiB; at least 128 MiB. Deleted and
   * overwritten bodies may count until `reset`.
   */
  readonly memoryBytesMax?: number;
  /** Of the S3 API on 127.0.0.1; 0, which is what it is if left out, takes a free one. */
  readonly port?: number;
  /** Buckets that are there from the start, and after each `reset`. */
  readonly buckets?: readonly string[];
  /** Beside root. */
  readonly accounts?: readonly Account[];
  /** Settings as in the configuration file, e.g. `{ dataDir: "/data", s3: { addr: "127.0.0.1:9000" } }`. */
  readonly settings?: ConfigOptions;
  /** Where JSON log lines go; nowhere by default. */
  readonly log?: (line: string) => void;
};

export type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string };

/** What `new S3Client(...)` of @aws-sdk/client-s3 needs to talk to this server. */
export type ClientConfig = {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
  readonly forcePathStyle: true;
};

export type EmbeddedServer = AsyncDisposable & {
  /** Of the S3 API, e.g. `http://127.0.0.1:41234`. */
  readonly endpoint: string;
  /** Of the admin API. */
  readonly adminEndpoint: string;
  readonly region: string;
  /** Of the account root. */
  readonly credentials: Credentials;
  readonly clientConfig: ClientConfig;
  /** Makes requests fail, late, or cut, by operation, bucket and key. */
  readonly faults: FaultInjection;
  /** Resolves with the reason if the node stops itself; the caller should close it and not go on. */
  readonly failed: Promise<unknown>;
  /** Answers what is under way, makes everything stable, and leaves no handle open. Twice is harmless. */
  close(): Promise<void>;
};

export type MemoryServer = EmbeddedServer & {
  /**
   * Starts over with nothing but the buckets of the start, at the same address; faults are gone too. A
   * request that is under way ends on the store that it began on, and leaves nothing behind.
   */
  reset(): Promise<void>;
};

const MIB = 1024 * 1024;
/** Below it, what is under way could fill what the refusal of bodies leaves free, and would have to wait. */
const MEMORY_BYTES_MIN = 128 * MIB;
const MEMORY_BYTES_DEFAULT_MAX = 1024 * MIB;

/**
 * Starts a server. Without settings it listens on free ports of loopback, with the credentials of `dev` and
 * data in `./.thermocline`, or in memory. Throws ConfigError for settings it cannot take, TypeError for
 * options that contradict each other or make no sense, and RefusedError for a data directory that it must not
 * touch.
 */
export async function createServer(options: ServerOptions & { readonly memory: true }): Promise<MemoryServer>;
export async function createServer(options?: ServerOptions): Promise<EmbeddedServer>;
export async function createServer(options: ServerOptions = {}): Promise<EmbeddedServer | MemoryServer> {
  refuseContradictions(options);
  const config = configOf(options);
  const faults = new Faults({ operations: Object.keys(operationTable) });
  const server = await startServer(config, {
    logger: jsonLogger({ level: config.log.level, write: options.log ?? ((): void => undefined) }),
    openStorage: await storageOf(options),
    prepare: (service) => makeBuckets(service, options.buckets ?? []),
    faults,
  });
  const embedded = faceOf(config, server, faults);
  if (options.memory !== true) return embedded;
  const reset = async (): Promise<void> => {
    faults.clear();
    await server.renew();
  };
  return { ...embedded, reset };
}

function refuseContradictions(options: ServerOptions): void {
  const { memory, memoryBytesMax, port, accounts, settings = {} } = options;
  const isGiven = (name: string): boolean => settings[name] !== undefined;
  if (memory === true && isGiven("dataDir"))
    throw new TypeError("memory and settings.dataDir exclude each other");
  if (memory === true && isGiven("cold")) throw new TypeError("memory and settings.cold exclude each other");
  if (memory !== true && memoryBytesMax !== undefined) throw new TypeError("memoryBytesMax is for memory");
  if (memoryBytesMax !== undefined && !(memoryBytesMax >= MEMORY_BYTES_MIN)) {
    throw new TypeError(`memoryBytesMax is a number from ${MEMORY_BYTES_MIN}`);
  }
  if (accounts !== undefined && isGiven("accounts")) {
    throw new TypeError("accounts and settings.accounts exclude each other");
  }
  if (port !== undefined && isGiven("s3")) throw new TypeError("port and settings.s3 exclude each other");
}

function memoryBytesOf({ memoryBytesMax }: ServerOptions): number {
  const share = Math.min(Math.floor(totalmem() / 4), MEMORY_BYTES_DEFAULT_MAX);
  return memoryBytesMax ?? Math.max(share, MEMORY_BYTES_MIN);
}

function memoryDefaults(options: ServerOptions): ConfigOptions {
  const bytesMax = memoryBytesOf(options);
  const inFlight = Math.min(Math.floor(bytesMax / 16), 256 * MIB);
  return {
    dataDir: "/memory",
    // There is no directory that it could be a tier of.
    cold: { url: "none" },
    // Bodies are in memory already: caching them saves checksums and nothing else.
    cacheBytes: "16MiB",
    limits: { bytesInFlightMax: `${inFlight}B` },
    // What is overwritten is given back soon, and no log is kept for a crash.
    raft: { snapshotLogsSinceLast: 1, maxInSnapshotLogToKeep: 0 },
    space: { snapshotAfter: `${Math.floor(bytesMax / 16)}B`, bytesPerSecondMax: "256MiB" },
  };
}

function configOf(options: ServerOptions): Config {
  const { memory, port = 0, accounts, settings } = options;
  const { config } = loadConfig({
    argv: [],
    env: {},
    readFile: (path) => {
      throw new Error(`an embedded server reads no files: ${path}`);
    },
    memoryBytes: totalmem(),
    command: "dev",
    options: {
      s3: { addr: `127.0.0.1:${port}` },
      admin: { addr: "127.0.0.1:0" },
      ...(memory === true ? memoryDefaults(options) : {}),
      ...(accounts === undefined ? {} : { accounts }),
      ...settings,
    },
  });
  return config;
}

/** Each loads only what it needs: a server in memory no LevelDB. */
async function storageOf(options: ServerOptions): Promise<() => Storage> {
  if (options.memory !== true) return (await import("./adapters/directory-storage.ts")).directoryStorage;
  const { memoryStorage } = await import("./adapters/memory-storage.ts");
  return () => memoryStorage({ bytesMax: memoryBytesOf(options) });
}

function isBucketName(name: string): boolean {
  try {
    checkBucketName(name);
    return true;
  } catch (error) {
    if (error instanceof S3Error) return false;
    throw error;
  }
}

async function makeBuckets(service: StoreService, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (!isBucketName(name)) throw new TypeError(`no bucket can be called ${JSON.stringify(name)}`);
  }
  await Promise.all(
    names.map((name) => service.buckets.create({ name, owner: ROOT_ACCOUNT_ID, location: "" })),
  );
}

function faceOf(config: Config, server: RunningServer, faults: Faults): EmbeddedServer {
  const { s3, admin, failed } = server;
  const { region } = config;
  const endpoint = endpointOf(s3);
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = rootOf(config);
  const credentials = { accessKeyId, secretAccessKey };
  const close = async (): Promise<void> => {
    // What is being delayed on purpose need not be waited for.
    faults.clear();
    await server.close();
  };
  return {
    endpoint,
    adminEndpoint: endpointOf(admin),
    region,
    credentials,
    clientConfig: { endpoint, region, credentials, forcePathStyle: true },
    faults,
    failed,
    close,
    [Symbol.asyncDispose]: close,
  };
}
