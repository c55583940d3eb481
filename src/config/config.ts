/**
 * The configuration: one schema in which every setting is declared once, and the type that follows from it.
 *
 * A field's place gives its three names: `s3.addr` in the file, `--s3-addr`, `THERMOCLINE_S3_ADDR`
 * (setting-name.ts). Its type gives unit and bounds; its declaration gives default, meaning and whether
 * anything uses it yet. Sizes are bytes, durations milliseconds. Names are stable from the first release: one
 * may be added, none changed. Rules that need two settings are in check-together.ts; loading is
 * load-config.ts.
 */
import { z } from "zod";
import { formatSize } from "./parse-size.ts";
import { nodeIdShape } from "./peers.ts";
import { setting } from "./setting.ts";
import * as t from "./setting-types.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Handed out by `dev` on loopback only, and refused on any other address: everybody knows it. */
export const devPair = { accessKey: "thermocline", secretKey: "thermocline-dev" } as const;

const accessKey = () => t.key("an access key", { min: 3, max: 128 });
const secretKey = () => t.key("a secret key", { min: 8, max: 128 });

const account = z
  .strictObject({
    id: z.string("is missing").regex(/^[A-Za-z0-9._-]{1,64}$/, "is not an id; write one such as alice"),
    displayName: z
      .string("is not text")
      .min(1, "is empty; write a name")
      .max(128, "is longer than 128")
      .optional(),
    accessKey: accessKey(),
    secretKey: secretKey(),
  })
  .transform(({ displayName, ...rest }) => ({ ...rest, displayName: displayName ?? rest.id }));

export const configSchema = z.strictObject({
  config: setting(t.optional(t.path()), {
    description: "YAML file with any of these settings",
    defaultText: "none",
    sources: ["flag", "environment"],
    status: "used",
  }),
  dataDir: setting(t.path(), {
    description: "directory that holds everything the node knows; made if missing, an empty one is fine",
    default: "./.thermocline",
    status: "used",
  }),
  nodeId: setting(t.text("a node id", { shape: nodeIdShape, example: "n1" }), {
    description: "name of this node in its cluster",
    default: "n1",
    status: "not used yet",
  }),
  peers: setting(t.optional(t.peerList()), {
    description: "all members of the cluster, this node among them: n1=host:9002,n2=host:9002",
    defaultText: "none",
    status: "not used yet",
  }),
  clusterSecret: setting(t.optional(t.key("a secret", { min: 16, max: 1024 })), {
    description: "shared by all members; proves to each other that they belong together",
    defaultText: "none",
    secret: true,
    fileVariant: true,
    status: "not used yet",
  }),
  rootAccessKey: setting(t.optional(accessKey()), {
    description: "access key of the account root",
    default: ({ command, loopbackOnly }) =>
      command === "dev" && loopbackOnly ? devPair.accessKey : undefined,
    defaultText: "dev on loopback: a dev pair; else required",
    fileVariant: true,
    status: "used",
  }),
  rootSecretKey: setting(t.optional(secretKey()), {
    description: "secret key of the account root, at least 8 characters",
    default: ({ command, loopbackOnly }) =>
      command === "dev" && loopbackOnly ? devPair.secretKey : undefined,
    defaultText: "dev on loopback: a dev pair; else required",
    secret: true,
    fileVariant: true,
    status: "used",
  }),
  masterKey: setting(t.optional(t.key("a key", { min: 16, max: 1024 })), {
    description: "seals the accounts' secrets before they enter the log",
    defaultText: "derived from the root secret",
    secret: true,
    fileVariant: true,
    status: "used",
  }),
  accounts: setting(
    t.optional(z.array(account, "is not a list of accounts").max(10_000).describe("a list")),
    {
      description:
        "more accounts, each {id, displayName, accessKey, secretKey or secretKeyFile}; in the file only",
      defaultText: "none",
      secret: true,
      sources: ["file"],
      status: "used",
    },
  ),
  region: setting(t.text("a region", { shape: /^[a-z0-9][a-z0-9-]{0,62}$/, example: "us-east-1" }), {
    description: "region that buckets report; requests may be signed for any",
    default: "us-east-1",
    status: "used",
  }),
  domain: setting(
    t.optional(
      t.text("a domain", {
        shape: /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
        example: "s3.example.com",
      }),
    ),
    {
      description: "switches on virtual-host style: <bucket>.<domain>",
      defaultText: "none",
      status: "used",
    },
  ),
  cacheBytes: setting(t.size({ max: 1024 * GiB }), {
    description: "memory for the object cache",
    default: ({ memoryBytes }) => formatSize(Math.min(Math.floor(memoryBytes / 4), GiB)),
    defaultText: "a quarter of the memory, at most 1GiB",
    status: "used",
  }),
  readConsistency: setting(t.choice(["linearizable", "eventual"]), {
    description: "what a read gets that does not ask for anything else",
    default: "linearizable",
    status: "not used yet",
  }),
  recoveryPoint: setting(t.durationOrOff({ min: second, max: hour }), {
    description: "how much a loss of all nodes may cost; off: upload waits for tier.after",
    default: "10s",
    status: "used",
  }),
  hotBytesMax: setting(t.percentOrSize(), {
    description: "how much of the disk the hot tier may take",
    default: "80%",
    status: "used",
  }),
  s3: z.strictObject({
    addr: setting(t.address(), {
      description: "S3 API; /-/live and /-/ready need no credentials",
      default: "127.0.0.1:9000",
      status: "used",
    }),
    corsAllowOrigin: setting(t.optional(t.originList()), {
      description:
        "origins whose pages may use every bucket, beside the buckets' own CORS rules: *, or a list",
      defaultText: "none",
      status: "used",
    }),
  }),
  admin: z.strictObject({
    addr: setting(t.address(), {
      description: "admin API (signed with the root pair) and /-/metrics; also live and ready",
      default: "127.0.0.1:9001",
      status: "used",
    }),
  }),
  peer: z.strictObject({
    addr: setting(t.address(), {
      description: "Raft and forwarding between the members of a cluster",
      default: "127.0.0.1:9002",
      status: "not used yet",
    }),
  }),
  tls: z.strictObject({
    certFile: setting(t.optional(t.path()), {
      description: "PEM certificate chain, of the S3 and the admin API; read again when it changes",
      defaultText: "none",
      status: "used",
    }),
    keyFile: setting(t.optional(t.path()), {
      description: "PEM private key that belongs to tls.certFile",
      defaultText: "none",
      status: "used",
    }),
  }),
  cold: z.strictObject({
    url: setting(t.coldUrl(), {
      description: "cold tier: s3://bucket/prefix, folder:/path or none",
      default: ({ command, dataDir }) =>
        command === "dev" ? `folder:${dataDir.replace(/\/$/, "")}/cold` : "none",
      defaultText: "none (dev: folder:<data>/cold)",
      status: "used",
    }),
    endpoint: setting(t.optional(t.httpUrl()), {
      description: "endpoint of the cold bucket, if it is not AWS",
      defaultText: "the SDK's own",
      status: "used",
    }),
    region: setting(t.optional(t.text("a region", { shape: /^[a-z0-9-]{1,63}$/, example: "eu-west-1" })), {
      description: "region of the cold bucket",
      defaultText: "the SDK's own",
      status: "used",
    }),
    accessKey: setting(t.optional(t.key("an access key", { min: 1, max: 1024 })), {
      description: "access key for the cold bucket",
      defaultText: "the SDK's own",
      fileVariant: true,
      status: "used",
    }),
    secretKey: setting(t.optional(t.key("a secret key", { min: 1, max: 1024 })), {
      description: "secret key for the cold bucket",
      defaultText: "the SDK's own",
      secret: true,
      fileVariant: true,
      status: "used",
    }),
    poolSize: setting(t.integer({ min: 1, max: 256 }), {
      description: "sockets to the cold bucket",
      default: "10",
      status: "used",
    }),
    storageClass: setting(t.optional(t.storageClasses()), {
      description: "one class for all that lasts, or one for each kind: segment=STANDARD_IA,tail=STANDARD",
      defaultText: "the bucket's own",
      status: "used",
    }),
    sse: setting(t.choice(["none", "AES256", "aws:kms"]), {
      description: "what the bucket is asked to encrypt objects with",
      default: "none",
      status: "used",
    }),
    sseKmsKeyId: setting(
      t.optional(t.text("a key id", { shape: /^[A-Za-z0-9:/_.-]{1,2048}$/, example: "alias/cold" })),
      {
        description: "key for cold.sse aws:kms",
        defaultText: "the bucket's own",
        status: "used",
      },
    ),
  }),
  tier: z.strictObject({
    after: setting(t.duration({ max: 3650 * day }), {
      description:
        "age at which a segment may leave the disk; with recoveryPoint off also that of its upload",
      default: "1h",
      status: "used",
    }),
    verify: setting(t.choice(["auto", "full"]), {
      description: "how an upload is verified: checksum and footer, or read back in full",
      default: "auto",
      status: "used",
    }),
    bytesPerSecondMax: setting(t.size({ min: 64 * KiB, max: 64 * GiB }), {
      description: "what uploads and recalls may send and fetch per second, together",
      default: "64MiB",
      status: "used",
    }),
    requestsPerMinuteMax: setting(t.integer({ min: 6, max: 1_000_000 }), {
      description: "requests that uploads and recalls may make per minute; reads of clients are beside them",
      default: "600",
      status: "used",
    }),
    pins: setting(t.optional(t.keyPrefixes()), {
      description: "what is to stay on the disk: buckets, or bucket/prefix, separated by commas",
      defaultText: "none",
      status: "used",
    }),
    restoreWindow: setting(t.duration({ max: 3650 * day }), {
      description: "how long every moment stays restorable from the cold tier",
      default: "7d",
      status: "used",
    }),
    grace: setting(t.duration({ min: minute, max: 365 * day }), {
      description: "how long an object of the cold tier outlives the last restore point that needs it",
      default: "24h",
      status: "used",
    }),
  }),
  raft: z.strictObject({
    maxPayloadEntries: setting(t.integer({ min: 1, max: 10_000 }), {
      description: "most entries that one batch of the log takes",
      default: "300",
      status: "used",
    }),
    snapshotLogsSinceLast: setting(t.integer({ min: 1, max: 1_000_000_000 }), {
      description: "least entries between two snapshots of the index, unless one frees space",
      default: "5000",
      status: "used",
    }),
    maxInSnapshotLogToKeep: setting(t.integer({ max: 1_000_000_000 }), {
      description: "entries kept in the log behind a snapshot, for members that lag a little",
      default: "1000",
      status: "used",
    }),
    electionTimeout: setting(t.duration({ min: 100, max: minute }), {
      description: "least silence of the leader before an election; the most is twice that",
      default: "1s",
      status: "not used yet",
    }),
    heartbeatInterval: setting(t.duration({ min: 10, max: 10 * second }), {
      description: "time between two heartbeats of the leader",
      default: "150ms",
      status: "not used yet",
    }),
  }),
  space: z.strictObject({
    snapshotAfter: setting(t.size({ min: MiB, max: 1024 * GiB }), {
      description:
        "bytes of log after which a snapshot of the index is made; a quarter of it if that frees as much",
      default: "1GiB",
      status: "used",
    }),
    livePercentMin: setting(t.integer({ max: 90 }), {
      description:
        "a segment with a smaller share of bytes in use, in percent, is rewritten without the rest",
      default: "50",
      status: "used",
    }),
    bytesPerSecondMax: setting(t.size({ min: MiB, max: 64 * GiB }), {
      description: "what snapshots and rewriting may read and write per second, together",
      default: "32MiB",
      status: "used",
    }),
  }),
  limits: z.strictObject({
    connectionsMax: setting(t.integer({ min: 1, max: 1_000_000 }), {
      description: "open client connections; one more is answered 503 SlowDown",
      default: "4096",
      status: "used",
    }),
    headerBytesMax: setting(t.size({ min: 4 * KiB, max: MiB }), {
      description: "request line and headers of one request",
      default: "16KiB",
      status: "used",
    }),
    bytesInFlightMax: setting(t.size({ min: 8 * MiB, max: 64 * GiB }), {
      description:
        "body bytes in memory over all requests, taken before a socket is read; past it 503 SlowDown",
      default: "256MiB",
      status: "used",
    }),
    xmlBytesMax: setting(t.size({ min: 64 * KiB, max: 64 * MiB }), {
      description: "XML body of one request; 1,000 escaped keys of a DeleteObjects fit into the default",
      default: "8MiB",
      status: "used",
    }),
    idleTimeout: setting(t.duration({ min: second, max: hour }), {
      description: "silence of a client, between requests or inside a body, before its connection is closed",
      default: "60s",
      status: "used",
    }),
    bodyBytesPerSecondMin: setting(t.size({ max: MiB }), {
      description:
        "what a body must bring per second, averaged over limits.idleTimeout; 0B: any, but 1 MiB an hour",
      default: "1KiB",
      status: "used",
    }),
    headersTimeout: setting(t.duration({ min: second, max: 10 * minute }), {
      description: "time that a client has for sending all headers",
      default: "20s",
      status: "used",
    }),
    pendingWritesMax: setting(t.integer({ min: 1, max: 10_000_000 }), {
      description: "writes that wait for the log; one more is answered 503 SlowDown",
      default: "16384",
      status: "used",
    }),
    batchBytesMax: setting(t.size({ min: MiB, max: 64 * MiB }), {
      description: "bytes that gather for one write and sync of the log",
      default: "4MiB",
      status: "used",
    }),
  }),
  overlay: z.strictObject({
    bytesMax: setting(t.size({ min: MiB, max: 4 * GiB }), {
      description: "applied rows that are not yet flushed, in bytes; past it writes wait",
      default: "32MiB",
      status: "used",
    }),
    rowsMax: setting(t.integer({ min: 1024, max: 16_777_216 }), {
      description: "applied rows that are not yet flushed; past it writes wait",
      default: "65536",
      status: "used",
    }),
  }),
  iterators: z.strictObject({
    // The store itself looks at its index beside them: for accounts at the start, for bodies to reap.
    max: setting(t.integer({ min: 8, max: 4096 }), {
      description: "listings that hold a view of the index at one time; one more is answered 503 SlowDown",
      default: "64",
      status: "used",
    }),
  }),
  log: z.strictObject({
    level: setting(t.choice(["debug", "info", "warn", "error"]), {
      description: "least weight of a line that is written to the log on standard error",
      default: "info",
      status: "used",
    }),
  }),
  shutdown: z.strictObject({
    timeout: setting(t.duration({ max: 10 * minute }), {
      description: "time that running requests have for ending after SIGTERM",
      default: "8s",
      status: "used",
    }),
  }),
  cost: z.strictObject({
    thousandWrites: setting(t.optional(t.price()), {
      description: "what 1,000 requests that write or list: PUT, POST, COPY, LIST costs, in dollars",
      defaultText: "0.005",
      status: "used",
    }),
    thousandReads: setting(t.optional(t.price()), {
      description: "what 1,000 requests that read: GET, HEAD costs, in dollars",
      defaultText: "0.0004",
      status: "used",
    }),
    thousandDeletes: setting(t.optional(t.price()), {
      description: "what 1,000 deletions costs, in dollars",
      defaultText: "0",
      status: "used",
    }),
    gibMonth: setting(t.optional(t.price()), {
      description: "what a GiB that lies there for a month costs, in dollars",
      defaultText: "0.023, less above 50 TiB",
      status: "used",
    }),
    gibIn: setting(t.optional(t.price()), {
      description: "what a GiB that is sent there costs, in dollars",
      defaultText: "0",
      status: "used",
    }),
    gibOut: setting(t.optional(t.price()), {
      description: "what a GiB that is read from there costs, in dollars",
      defaultText: "0",
      status: "used",
    }),
  }),
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** Frozen, all of it. An absent optional setting is undefined. Sizes in bytes, durations in milliseconds. */
export type Config = DeepReadonly<z.output<typeof configSchema>>;
