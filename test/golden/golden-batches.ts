/**
 * The batch of the kept bytes that names versions: apart from the others because of its length. Never
 * changed; what is new gets a name of its own.
 */
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Command } from "../../src/state/command.ts";

const ETAG = "0123456789abcdef0123456789abcdef";

export const batchOfVersions: Command = {
    kind: "batch",
    steps: [
      {
        kind: "deleteVersion",
        bucket: "bucket",
        key: "k",
        version: { kind: "birth", birthIndex: 1_000_000, birthSub: 299 },
        condition: { kind: "none" },
      },
      {
        kind: "putObject",
        bucket: "bucket",
        key: "k",
        etag: ETAG,
        attributes: NO_ATTRIBUTES,
        body: { kind: "bytes", bytes: Buffer.from("body"), crc32c: 9 },
        condition: { kind: "absent" },
        tags: [["a", "b"]],
      },
      {
        kind: "deleteVersion",
        bucket: "bucket",
        key: "k",
        version: { kind: "null" },
        condition: { kind: "none" },
      },
    ],
  };
