/** Rules across settings: each with the configuration that breaks it and the one line it gets. */
import { describe, expect, test } from "vitest";
import { devPair } from "../../src/config/config.ts";
import { load, problemsOf, rootPair } from "./load.ts";

describe("the root pair", () => {
  test.each(["server", "status"] as const)("%s refuses to start without", (command) => {
    expect(problemsOf({ command })).toEqual([
      expect.stringMatching(
        /^THERMOCLINE_ROOT_ACCESS_KEY: is not set; set it and THERMOCLINE_ROOT_SECRET_KEY/,
      ),
    ]);
  });

  test("server starts with it", () => {
    expect(load({ command: "server", env: rootPair }).config.rootAccessKey).toBe("root-key");
  });

  test.each(["verify", "config"] as const)("%s needs none", (command) => {
    expect(load({ command }).config.rootSecretKey).toBeUndefined();
  });

  test("dev brings its own on loopback", () => {
    const { config } = load({ command: "dev", argv: ["--s3-addr=[::1]:1", "--admin-addr=localhost:2"] });
    expect(config).toMatchObject({ rootAccessKey: devPair.accessKey, rootSecretKey: devPair.secretKey });
  });

  test.each(["--s3-addr=0.0.0.0:1", "--admin-addr=10.0.0.1:2", "--peer-addr=[::]:3"])(
    "dev has none with %s",
    (flag) => {
      expect(problemsOf({ command: "dev", argv: [flag] })).toHaveLength(1);
      expect(load({ command: "dev", argv: [flag], env: rootPair }).config.rootAccessKey).toBe("root-key");
    },
  );

  test("the dev pair is refused off loopback, even when it is given", () => {
    const env = {
      THERMOCLINE_ROOT_ACCESS_KEY: devPair.accessKey,
      THERMOCLINE_ROOT_SECRET_KEY: devPair.secretKey,
    };
    expect(load({ command: "server", env }).config.rootSecretKey).toBe(devPair.secretKey);
    expect(problemsOf({ command: "server", env, argv: ["--s3-addr=0.0.0.0:1"] })).toEqual([
      "THERMOCLINE_ROOT_SECRET_KEY: is the known dev secret, and s3.addr is not loopback; choose another",
    ]);
  });

  test("a computed half never completes a given one", () => {
    expect(problemsOf({ command: "dev", env: { THERMOCLINE_ROOT_ACCESS_KEY: "abc" } })).toEqual([
      "THERMOCLINE_ROOT_ACCESS_KEY: is one half of a pair; set THERMOCLINE_ROOT_SECRET_KEY too",
    ]);
  });
});

test.each([
  ["THERMOCLINE_ROOT_SECRET_KEY", "THERMOCLINE_ROOT_ACCESS_KEY"],
  ["THERMOCLINE_COLD_ACCESS_KEY", "THERMOCLINE_COLD_SECRET_KEY"],
  ["THERMOCLINE_COLD_SECRET_KEY", "THERMOCLINE_COLD_ACCESS_KEY"],
  ["THERMOCLINE_TLS_CERT_FILE", "THERMOCLINE_TLS_KEY_FILE"],
  ["THERMOCLINE_TLS_KEY_FILE", "THERMOCLINE_TLS_CERT_FILE"],
])("%s needs %s", (given, absent) => {
  expect(problemsOf({ env: { [given]: "12345678" } })).toEqual([
    `${given}: is one half of a pair; set ${absent} too`,
  ]);
});

describe("addresses", () => {
  test.each([
    [
      ["--s3-addr=127.0.0.1:9001"],
      "--s3-addr: admin.addr listens on 127.0.0.1:9001 already; choose another port",
    ],
    [
      ["--admin-addr=0.0.0.0:9000"],
      "--admin-addr: s3.addr listens on 0.0.0.0:9000 already; choose another port",
    ],
    [
      ["--s3-addr=a:1", "--peer-addr=a:1"],
      "--peer-addr: s3.addr listens on a:1 already; choose another port",
    ],
  ])("%j collide", (argv, line) => {
    expect(problemsOf({ argv })).toEqual([line]);
  });

  test("port 0 never collides, nor do two hosts", () => {
    load({ argv: ["--s3-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0"] });
    load({ argv: ["--s3-addr=10.0.0.1:9001"] });
  });
});

describe("cluster", () => {
  const secret = { THERMOCLINE_CLUSTER_SECRET: "s".repeat(16) };

  test("peers name this node", () => {
    expect(problemsOf({ env: { ...secret, THERMOCLINE_PEERS: "n2=a:1,n3=b:1" } })).toEqual([
      "THERMOCLINE_PEERS: does not name this node, n1; add it or mend nodeId",
    ]);
  });

  test("peers share a secret", () => {
    expect(problemsOf({ env: { THERMOCLINE_PEERS: "n1=a:1,n2=b:1" } })).toEqual([
      "THERMOCLINE_PEERS: needs the members' secret; set THERMOCLINE_CLUSTER_SECRET",
    ]);
  });

  test.each(["n1=a:1,n1=b:1", "n1=a:1,n2=a:1", "n1=a:0,n2=b:1", "n1=a:1,", "n1=a:1=b"])(
    "%s is no list of peers",
    (text) => {
      expect(problemsOf({ env: { ...secret, THERMOCLINE_PEERS: text } })).toHaveLength(1);
    },
  );

  test("three heartbeats fit into an election timeout", () => {
    expect(problemsOf({ argv: ["--raft-heartbeat-interval=400ms"] })).toEqual([
      "--raft-heartbeat-interval: is more than a third of raft.electionTimeout; lower it",
    ]);
  });
});

const account = (id: string, key: string) => `{id: ${id}, accessKey: ${key}, secretKey: abcdefgh}`;

describe("accounts", () => {
  test.each([
    [[account("a", "aaa"), account("a", "bbb")], "entry 2 has the id of another account; change it"],
    [[account("a", "aaa"), account("b", "aaa")], "entry 2 has the accessKey of another account; change it"],
    [[account("root", "aaa")], "entry 1 has the id of another account; change it"],
    [[account("a", "root-key")], "entry 1 has the accessKey of another account; change it"],
  ])("%j", (accounts, message) => {
    expect(
      problemsOf({ files: { f: `accounts: [${accounts.join(", ")}]` }, argv: ["--config=f"], env: rootPair }),
    ).toEqual([`f:1 (accounts): ${message}`]);
  });
});

test("a batch fits into what is in flight", () => {
  expect(
    problemsOf({ argv: ["--limits-batch-bytes-max=16MiB", "--limits-bytes-in-flight-max=8MiB"] }),
  ).toEqual([
    "--limits-batch-bytes-max: is more than limits.bytesInFlightMax, so no batch could fill up; lower it",
  ]);
});
