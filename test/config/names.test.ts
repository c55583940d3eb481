/** Names: three spellings of each, all known from the start, and help for the one that is mistyped. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editDistance, nearestName } from "../../src/config/nearest-name.ts";
import { wordsOfFlag, wordsOfKey, wordsOfVariable } from "../../src/config/setting-name.ts";
import { findSetting, namesFor, settings } from "../../src/config/settings.ts";
import { load, problemsOf } from "./load.ts";

/** Promised from the first release: none of these may ever go. */
const promisedVariables = `
  CONFIG DATA_DIR S3_ADDR ADMIN_ADDR PEER_ADDR NODE_ID PEERS CLUSTER_SECRET ROOT_ACCESS_KEY
  ROOT_SECRET_KEY MASTER_KEY REGION DOMAIN TLS_CERT_FILE TLS_KEY_FILE CACHE_BYTES READ_CONSISTENCY
  COLD_URL COLD_ENDPOINT COLD_REGION COLD_ACCESS_KEY COLD_SECRET_KEY COLD_POOL_SIZE TIER_AFTER
  RECOVERY_POINT HOT_BYTES_MAX RAFT_MAX_PAYLOAD_ENTRIES RAFT_SNAPSHOT_LOGS_SINCE_LAST
  RAFT_MAX_IN_SNAPSHOT_LOG_TO_KEEP RAFT_ELECTION_TIMEOUT RAFT_HEARTBEAT_INTERVAL ROOT_ACCESS_KEY_FILE
  ROOT_SECRET_KEY_FILE CLUSTER_SECRET_FILE MASTER_KEY_FILE COLD_ACCESS_KEY_FILE COLD_SECRET_KEY_FILE`
  .trim()
  .split(/\s+/);

test.each(promisedVariables)("THERMOCLINE_%s is known", (variable) => {
  expect(namesFor("environment")).toContain(`THERMOCLINE_${variable}`);
});

test("the three spellings of every setting lead to it", () => {
  for (const setting of settings) {
    for (const words of [
      wordsOfKey(setting.name),
      wordsOfFlag(setting.flag),
      wordsOfVariable(setting.variable),
    ]) {
      expect(findSetting(words)?.setting).toBe(setting);
    }
  }
});

test("spellings are the mechanical ones", () => {
  const found = settings.find(({ name }) => name === "raft.maxInSnapshotLogToKeep");
  expect(found?.flag).toBe("--raft-max-in-snapshot-log-to-keep");
  expect(found?.variable).toBe("THERMOCLINE_RAFT_MAX_IN_SNAPSHOT_LOG_TO_KEEP");
  expect(settings.find(({ name }) => name === "s3.addr")?.variable).toBe("THERMOCLINE_S3_ADDR");
});

test("every setting has a description and says its default", () => {
  for (const setting of settings) {
    expect(setting.description).not.toBe("");
    expect(typeof (setting.defaultText ?? setting.default), setting.name).toBe("string");
  }
});

describe("a name that is not known", () => {
  test("a flag", () => {
    expect(problemsOf({ argv: ["--s3-adr=127.0.0.1:1"] })).toEqual([
      "--s3-adr: unknown flag; did you mean --s3-addr?",
    ]);
  });

  test("a flag whose value follows", () => {
    expect(problemsOf({ argv: ["--regoin", "x"] })).toEqual([
      "--regoin: unknown flag; did you mean --region?",
    ]);
  });

  test("a variable", () => {
    expect(problemsOf({ env: { THERMOCLINE_DATADIR: "x" } })).toEqual([
      "THERMOCLINE_DATADIR: unknown variable; did you mean THERMOCLINE_DATA_DIR?",
    ]);
  });

  test("a key of the file, with its line", () => {
    const files = { "t.yaml": "# my file\ns3:\n  adr: 127.0.0.1:1\n" };
    expect(problemsOf({ files, argv: ["--config=t.yaml"] })).toEqual([
      "t.yaml:3 (s3.adr): unknown key; did you mean s3.addr?",
    ]);
  });

  test("a key in another case is not silently taken", () => {
    const files = { "t.yaml": "data_dir: x\nDataDir: x\n" };
    expect(problemsOf({ files, argv: ["--config=t.yaml"] })).toEqual([
      "t.yaml:1 (data_dir): unknown key; did you mean dataDir?",
      "t.yaml:2 (DataDir): unknown key; did you mean dataDir?",
    ]);
  });

  test("an option", () => {
    expect(problemsOf({ options: { cache: { byte: 7 } } })).toEqual([
      "cache.byte: unknown key; did you mean cacheBytes?",
    ]);
  });

  test("nothing near: no suggestion", () => {
    expect(problemsOf({ env: { THERMOCLINE_QQQQQQQQQQQQQQQQQQQQ: "x" } })).toEqual([
      "THERMOCLINE_QQQQQQQQQQQQQQQQQQQQ: unknown variable; remove it",
    ]);
  });

  test("all slips are told at once", () => {
    expect(problemsOf({ argv: ["--a-b-c-d-e-f=1", "stray"], env: { THERMOCLINE_S3ADDR: "x" } })).toHaveLength(
      3,
    );
  });

  test("variables without the prefix are none of our business", () => {
    expect(load({ env: { THERMO: "x", HOME: "/", thermocline_x: "y" } }).warnings).toEqual([]);
  });

  test("what Kubernetes invents beside a service of this name is left alone", () => {
    const env = {
      THERMOCLINE_SERVICE_HOST: "10.0.0.1",
      THERMOCLINE_SERVICE_PORT: "9000",
      THERMOCLINE_SERVICE_PORT_S3: "9000",
      THERMOCLINE_PORT: "tcp://10.0.0.1:9000",
      THERMOCLINE_PORT_9000_TCP: "tcp://10.0.0.1:9000",
      THERMOCLINE_PORT_9000_TCP_PROTO: "tcp",
      THERMOCLINE_PORT_9000_TCP_PORT: "9000",
      THERMOCLINE_PORT_9000_TCP_ADDR: "10.0.0.1",
    };
    expect(load({ env }).warnings).toEqual([]);
    expect(problemsOf({ env: { THERMOCLINE_S3_PORT: "9000" } })).toHaveLength(1);
  });
});

test("edit distance: insert, drop, replace, swap", () => {
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("addr", "adr")).toBe(1);
  expect(editDistance("regoin", "region")).toBe(1);
  expect(editDistance("kitten", "sitting")).toBe(3);
});

test("edit distance is zero for equal words only, and the same both ways", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});

test("one slip in any name is mended by the suggestion", () => {
  const names = namesFor("environment");
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.nat(), (name, at) => {
      const slip = name.slice(0, at % name.length) + name.slice((at % name.length) + 1);
      const nearest = nearestName(slip, names);
      expect(nearest !== undefined && editDistance(slip, nearest) <= 1).toBe(true);
    }),
  );
});
