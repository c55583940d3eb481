/**
 * The library face: a server inside the caller's process. It reads no environment and no file; settings are
 * those of the command line, by the names of the configuration file, as text.
 */
import { totalmem } from "node:os";
import { jsonLogger } from "./adapters/json-logger.ts";
import { formatAddress } from "./config/address.ts";
import { devPair } from "./config/config.ts";
import { loadConfig } from "./config/load-config.ts";
import type { ConfigOptions } from "./config/read-options.ts";
import { startServer } from "./main.ts";

export type ServerOptions = {
  /** Settings as in the configuration file, e.g. `{ dataDir: "/data", s3: { addr: "127.0.0.1:9000" } }`. */
  readonly settings?: ConfigOptions;
  /** Where JSON log lines go; nowhere by default. */
  readonly log?: (line: string) => void;
};

export type EmbeddedServer = AsyncDisposable & {
  /** Of the S3 API, e.g. `http://127.0.0.1:41234`. */
  readonly endpoint: string;
  /** Of the admin API. */
  readonly adminEndpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Resolves with the reason if the node stops itself; the caller should close it and not go on. */
  readonly failed: Promise<unknown>;
  /** Answers what is under way, makes everything stable, and leaves no handle open. Twice is harmless. */
  close(): Promise<void>;
};

/**
 * Starts a server. Without settings it listens on free ports of loopback, with the credentials of `dev` and
 * data in `./.thermocline`. Throws ConfigError for settings it cannot take and RefusedError for a data
 * directory that it must not touch.
 */
export async function createServer(options: ServerOptions = {}): Promise<EmbeddedServer> {
  const { config } = loadConfig({
    argv: [],
    env: {},
    readFile: (path) => {
      throw new Error(`an embedded server reads no files: ${path}`);
    },
    memoryBytes: totalmem(),
    command: "dev",
    options: { s3: { addr: "127.0.0.1:0" }, admin: { addr: "127.0.0.1:0" }, ...options.settings },
  });
  const logger = jsonLogger({ level: config.log.level, write: options.log ?? ((): void => undefined) });
  const server = await startServer(config, { logger });
  const close = (): Promise<void> => server.close();
  return {
    endpoint: `http://${formatAddress({ host: server.s3.host, port: server.s3.port })}`,
    adminEndpoint: `http://${formatAddress({ host: server.admin.host, port: server.admin.port })}`,
    region: config.region,
    credentials: {
      accessKeyId: config.rootAccessKey ?? devPair.accessKey,
      secretAccessKey: config.rootSecretKey ?? devPair.secretKey,
    },
    failed: server.failed,
    close,
    [Symbol.asyncDispose]: close,
  };
}
