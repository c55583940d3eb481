/** Loading: which source wins, what a wrong value says, secrets from files, and what is shown. */
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { settings } from "../../src/config/settings.ts";
import { showSettings } from "../../src/config/show-settings.ts";
import { STAGE_IDLE_MS } from "../../src/replica/housekeeping.ts";
import { CHUNK_BYTES_MAX } from "../../src/service/api.ts";
import { load, problemsOf, rootPair } from "./load.ts";

const yaml = (text: string) => ({ files: { "t.yaml": text }, env: { THERMOCLINE_CONFIG: "t.yaml" } });

describe("precedence", () => {
  const files = { "t.yaml": "region: from-file\n" };
  const env = { THERMOCLINE_CONFIG: "t.yaml", THERMOCLINE_REGION: "from-environment" };
  const argv = ["--region", "from-flag"];

  test("default", () => {
    const { config, origins } = load();
    expect(config.region).toBe("us-east-1");
    expect(origins.get("region")?.origin).toEqual({ kind: "default" });
  });

  test("the file is above the default", () => {
    const { config, origins } = load({ files, env: { THERMOCLINE_CONFIG: "t.yaml" } });
    expect(config.region).toBe("from-file");
    expect(origins.get("region")?.origin).toEqual({ kind: "file", path: "t.yaml", line: 1, key: "region" });
  });

  test("the environment is above the file", () => {
    const { config, origins } = load({ files, env });
    expect(config.region).toBe("from-environment");
    expect(origins.get("region")?.origin).toEqual({ kind: "environment", name: "THERMOCLINE_REGION" });
  });

  test("a flag is above the environment", () => {
    const { config, origins } = load({ files, env, argv });
    expect(config.region).toBe("from-flag");
    expect(origins.get("region")?.origin).toEqual({ kind: "flag", name: "--region" });
  });

  test("an option of the embedding program is above all", () => {
    const { config, origins } = load({ files, env, argv, options: { region: "from-option" } });
    expect(config.region).toBe("from-option");
    expect(origins.get("region")?.origin).toEqual({ kind: "option", name: "region" });
  });

  test("the flag --config is above the variable", () => {
    const both = { "t.yaml": "region: one\n", "u.yaml": "region: two\n" };
    expect(
      load({ files: both, env: { THERMOCLINE_CONFIG: "t.yaml" }, argv: ["--config=u.yaml"] }).config.region,
    ).toBe("two");
  });

  test("an empty variable and an empty key count as not given", () => {
    const { config } = load({
      files: { "t.yaml": "region:\ns3:\n" },
      env: { THERMOCLINE_CONFIG: "t.yaml", THERMOCLINE_DOMAIN: "" },
    });
    expect(config.region).toBe("us-east-1");
    expect(config.domain).toBeUndefined();
  });
});

test("every setting has an origin", () => {
  expect([...load().origins.keys()]).toEqual(settings.map(({ name }) => name));
});

test("the configuration is frozen to its last corner", () => {
  const { config } = load(yaml("accounts:\n  - {id: a, accessKey: aaa, secretKey: aaaaaaaa}\n"));
  const check = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    expect(Object.isFrozen(value)).toBe(true);
    Object.values(value).forEach(check);
  };
  check(config);
  expect(config.accounts).toEqual([{ id: "a", displayName: "a", accessKey: "aaa", secretKey: "aaaaaaaa" }]);
});

describe("defaults", () => {
  const GiB = 1024 ** 3;

  test.each([
    [2 * GiB, GiB / 2],
    [4 * GiB, GiB],
    [64 * GiB, GiB],
    [1_000_000_001, 250_000_000],
  ])("with %d bytes of memory the cache has %d", (memoryBytes, cacheBytes) => {
    expect(load({ memoryBytes }).config.cacheBytes).toBe(cacheBytes);
  });

  test("values carry their units", () => {
    const { config } = load();
    expect(config.s3.addr).toEqual({ host: "127.0.0.1", port: 9000 });
    expect(config.shutdown.timeout).toBe(8000);
    expect(config.overlay).toEqual({ bytesMax: 32 * 1024 ** 2, rowsMax: 65_536 });
    expect(config.hotBytesMax).toEqual({ kind: "percent", percent: 80 });
    expect(config.cold.url).toEqual({ kind: "none" });
    expect(config.recoveryPoint).toBe(10_000);
  });

  test("a body at the slowest allowed rate brings its next chunk before its stage counts as idle", () => {
    const chunkMs = (1000 * CHUNK_BYTES_MAX) / load().config.limits.bodyBytesPerSecondMin;
    expect(chunkMs + load().config.limits.idleTimeout).toBeLessThan(STAGE_IDLE_MS / 2);
  });

  test("dev has a cold folder inside the data directory", () => {
    const { config } = load({ command: "dev", argv: ["--data-dir=/d/"] });
    expect(config.cold.url).toEqual({ kind: "folder", path: "/d/cold" });
  });
});

describe("the file", () => {
  test("groups, dotted keys and flat keys mean the same", () => {
    for (const text of ["s3: {addr: 'a:1'}", "s3.addr: a:1", "s3:\n  addr: a:1", "s3Addr: a:1"]) {
      expect(load(yaml(text)).config.s3.addr, text).toEqual({ host: "a", port: 1 });
    }
    expect(load(yaml("root:\n  accessKey: abc\n  secretKey: abcdefgh\n")).config.rootAccessKey).toBe("abc");
  });

  test("scalars stay the text that was written", () => {
    const { config } = load(yaml("rootAccessKey: 0123\nrootSecretKey: 12345678901234567890\ndomain: yes\n"));
    expect(config.rootAccessKey).toBe("0123");
    expect(config.rootSecretKey).toBe("12345678901234567890");
    expect(config.domain).toBe("yes");
  });

  test("peers may be a list", () => {
    const text = `peers: ["n1=a:1", "n2=[::1]:2"]\nclusterSecret: ${"s".repeat(16)}\n`;
    expect(load(yaml(text)).config.peers).toEqual([
      { id: "n1", address: { host: "a", port: 1 } },
      { id: "n2", address: { host: "::1", port: 2 } },
    ]);
  });

  test("anchors work", () => {
    expect(load(yaml("region: &r eu-west-1\ncold: {region: *r}\n")).config.cold.region).toBe("eu-west-1");
  });

  test.each(["", "# nothing\n", "---\n"])("an empty file, %j, changes nothing", (text) => {
    expect(load(yaml(text)).config.region).toBe("us-east-1");
  });

  test.each([
    ["a: [", /^t\.yaml:\d+: .*; mend the YAML$/],
    ["region: a\nregion: b\n", /^t\.yaml:2: Map keys must be unique; mend the YAML$/],
    ["- a\n", /^t\.yaml:1: the file is not a map of settings; write key: value$/],
    ["just text", /^t\.yaml:1: the file is not a map of settings; write key: value$/],
  ])("%j is told in one line", (text, line) => {
    expect(problemsOf(yaml(text))).toEqual([expect.stringMatching(line)]);
  });

  test("the same setting in two spellings is a mistake", () => {
    expect(problemsOf(yaml("s3.addr: a:1\ns3: {addr: 'a:1'}\n"))).toEqual([
      "t.yaml:2 (s3.addr): sets s3.addr, which t.yaml:1 (s3.addr) sets too; keep one",
    ]);
  });

  test("a file that is not there", () => {
    expect(problemsOf({ argv: ["--config=no.yaml"] })).toEqual([
      "--config: cannot read no.yaml (ENOENT); mend the path or its permissions",
    ]);
  });

  test("the file cannot name itself", () => {
    expect(problemsOf(yaml("config: u.yaml\n"))).toEqual([
      "t.yaml:1 (config): cannot be set here; give --config or THERMOCLINE_CONFIG",
    ]);
  });

  test("an account may name a file for its secret", () => {
    const text = "accounts: [{id: a, accessKey: aaa, secretKeyFile: s.txt}]\n";
    const files = { "t.yaml": text, "s.txt": "from-a-file\n" };
    const argv = ["--config=t.yaml"];
    expect(load({ files, argv }).config.accounts?.[0]?.secretKey).toBe("from-a-file");
    expect(problemsOf({ files: { "t.yaml": text }, argv })[0]).toContain("cannot read s.txt");
    expect(problemsOf({ files: { ...files, "s.txt": "short" }, argv })).toHaveLength(1);
    const both = { ...files, "t.yaml": text.replace("}]", ", secretKey: aaaaaaaa}]") };
    expect(problemsOf({ files: both, argv })[0]).toContain("secretKeyFile");
  });

  test("accounts are for the file only", () => {
    expect(problemsOf({ env: { THERMOCLINE_ACCOUNTS: "x" }, argv: ["--accounts=x"] })).toEqual([
      "--accounts: is no flag; write it into the file that --config names",
      "THERMOCLINE_ACCOUNTS: cannot be a variable; write it into the file that THERMOCLINE_CONFIG names",
    ]);
  });
});

describe("flags", () => {
  test("a value may follow or be attached", () => {
    expect(load({ argv: ["--region", "a1", "--domain=b.c"] }).config).toMatchObject({
      region: "a1",
      domain: "b.c",
    });
  });

  test.each([
    [["--region"], "--region: needs a value; write --region=..."],
    [["--region="], "--region: needs a value; write --region=..."],
    [["--region", "--domain=x"], "--region: needs a value; write --region=..."],
    [["-r"], "-r: unknown flag; flags of settings begin with two hyphens"],
    [["x"], "x: unexpected argument; settings are written --name=value"],
    [["--"], "--: unexpected argument; settings are written --name=value"],
    [["--region=a1", "--region=a2"], "--region: sets region, which --region sets too; keep one"],
  ])("%j is a mistake", (argv, line) => {
    expect(problemsOf({ argv })).toEqual([line]);
  });

  test("a value that begins with a hyphen is attached", () => {
    expect(load({ argv: ["--root-secret-key=-secret-", "--root-access-key=abc"] }).config.rootSecretKey).toBe(
      "-secret-",
    );
  });
});

describe("a wrong value says what, where and how to mend it", () => {
  test.each([
    ["S3_ADDR", "localhost", '"localhost" is not an address; write host:port such as 127.0.0.1:9000'],
    ["CACHE_BYTES", "64XB", '"64XB" is not a size; write one such as 64MiB or 512KB'],
    ["LIMITS_HEADER_BYTES_MAX", "1KiB", '"1KiB" is too little; give at least 4KiB'],
    ["LIMITS_HEADER_BYTES_MAX", "1GiB", '"1GiB" is too much; give at most 1MiB'],
    ["SHUTDOWN_TIMEOUT", "8", '"8" has no unit; write one such as 10s or 150ms'],
    ["SHUTDOWN_TIMEOUT", "soon", '"soon" is not a duration; write one such as 10s or 150ms'],
    ["RAFT_MAX_PAYLOAD_ENTRIES", "1.5", '"1.5" is not a whole number; write one such as 300'],
    ["RAFT_MAX_PAYLOAD_ENTRIES", "0", '"0" is too little; give at least 1'],
    ["LOG_LEVEL", "verbose", '"verbose" is not one of the choices; write debug, info, warn, error'],
    ["HOT_BYTES_MAX", "120%", '"120%" is neither; write 80% (1% to 100%) or a size such as 500GiB'],
    ["COLD_URL", "http://x", '"http://x" is not a cold tier; write s3://bucket/prefix, folder:/path or none'],
    [
      "COLD_ENDPOINT",
      "https://u:p@x",
      "is not a URL without credentials; write one such as https://s3.example.com",
    ],
    ["PEERS", "n1", '"n1" is not a list of peers; write n1=host:9002,n2=host:9002'],
    ["REGION", "Mars 1", '"Mars 1" is not a region; write one such as us-east-1'],
    ["DOMAIN", "a_b", '"a_b" is not a domain; write one such as s3.example.com'],
    ["NODE_ID", "N 1", '"N 1" is not a node id; write one such as n1'],
    ["ROOT_ACCESS_KEY", "ab", "has 2 characters; write at least 3"],
    ["ROOT_SECRET_KEY", "1234567", "has 7 characters; write at least 8"],
    [
      "ROOT_SECRET_KEY",
      "has blanks in it",
      "holds blanks or characters outside ASCII; write printable ASCII without blanks",
    ],
    ["RECOVERY_POINT", "on", '"on" is not a duration; write one such as 10s or 150ms'],
  ])("THERMOCLINE_%s=%s", (variable, value, message) => {
    expect(problemsOf({ env: { [`THERMOCLINE_${variable}`]: value } })).toEqual([
      `THERMOCLINE_${variable}: ${message}`,
    ]);
  });

  test("in the file, with the line", () => {
    expect(problemsOf(yaml("limits:\n  idleTimeout: 60\n"))).toEqual([
      't.yaml:2 (limits.idleTimeout): "60" has no unit; write one such as 10s or 150ms',
    ]);
  });

  test("a map where text belongs", () => {
    expect(problemsOf(yaml("region: {a: b}\n"))).toEqual(["t.yaml:1 (region): is not a region"]);
  });

  test("in an account", () => {
    const text =
      "accounts:\n  - {id: a, accessKey: aaa, secretKey: short}\n" +
      "  - {id: b b, accessKey: bbb, secretKey: bbbbbbbb}\n";
    expect(problemsOf(yaml(text))).toEqual([
      "t.yaml:1 (accounts): entry 1 secretKey has 5 characters; write at least 8",
      "t.yaml:1 (accounts): entry 2 id is not an id; write one such as alice",
    ]);
    expect(problemsOf(yaml("accounts: [{id: a, accesKey: aaa, secretKey: aaaaaaaa}]"))).toHaveLength(2);
    expect(problemsOf(yaml("accounts: {a: b}"))).toEqual(["t.yaml:1 (accounts): is not a list of accounts"]);
  });

  test("no line repeats a secret", () => {
    const secret = "tiny é";
    for (const { variable, secret: isSecret, sources } of settings) {
      if (isSecret !== true || !sources.includes("environment")) continue;
      expect(problemsOf({ env: { [variable]: secret } }).join("\n")).not.toContain("tiny");
    }
  });

  test("a very long or many-lined value stays one short line", () => {
    const lines = problemsOf({ env: { THERMOCLINE_REGION: `a\nb${"x".repeat(5000)}` } });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.length).toBeLessThan(160);
  });

  test("the error has a code and its problems", () => {
    try {
      load({ env: { THERMOCLINE_LOG_LEVEL: "x", THERMOCLINE_REGION: "X" } });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect(error).toMatchObject({
        code: "wrongValue",
        problems: [{ code: "wrongValue" }, { code: "wrongValue" }],
      });
    }
  });
});

describe("secrets from files", () => {
  const files = { "/run/secret": "from-a-file\n", "/run/key": "key-of-file\r\n", "/run/empty": "\n" };
  const paths = {
    THERMOCLINE_ROOT_ACCESS_KEY_FILE: "/run/key",
    THERMOCLINE_ROOT_SECRET_KEY_FILE: "/run/secret",
  };

  test("the line break at the end is not part of it", () => {
    const { config, origins } = load({ files, env: paths });
    expect(config).toMatchObject({ rootAccessKey: "key-of-file", rootSecretKey: "from-a-file" });
    expect(origins.get("rootSecretKey")).toMatchObject({
      origin: { kind: "environment", name: "THERMOCLINE_ROOT_SECRET_KEY_FILE" },
      viaFile: "/run/secret",
    });
  });

  test("as flag and as key of the file too", () => {
    const all = { ...files, "t.yaml": "rootAccessKeyFile: /run/key\n" };
    const { config } = load({
      files: all,
      argv: ["--config=t.yaml", "--root-secret-key-file", "/run/secret"],
    });
    expect(config).toMatchObject({ rootAccessKey: "key-of-file", rootSecretKey: "from-a-file" });
  });

  test("a higher source wins, whichever form it has", () => {
    expect(load({ files, env: paths, argv: ["--root-secret-key=by-flag-1"] }).config.rootSecretKey).toBe(
      "by-flag-1",
    );
    const env = { ...rootPair };
    expect(load({ files, env, argv: ["--root-secret-key-file=/run/secret"] }).config.rootSecretKey).toBe(
      "from-a-file",
    );
  });

  test("both forms in one source are a mistake", () => {
    expect(
      problemsOf({ files, env: { ...rootPair, THERMOCLINE_ROOT_SECRET_KEY_FILE: "/run/secret" } }),
    ).toEqual([
      "THERMOCLINE_ROOT_SECRET_KEY_FILE: sets rootSecretKey, " +
        "which THERMOCLINE_ROOT_SECRET_KEY sets too; keep one",
    ]);
  });

  test.each([
    ["/run/none", "cannot read /run/none (ENOENT); mend the path or its permissions"],
    ["/run/empty", "the file /run/empty is empty; write the value into it"],
  ])("%s", (path, message) => {
    expect(problemsOf({ files, env: { ...paths, THERMOCLINE_ROOT_SECRET_KEY_FILE: path } })).toEqual([
      `THERMOCLINE_ROOT_SECRET_KEY_FILE: ${message}`,
    ]);
  });

  test("a file that loses is not read", () => {
    const env = { THERMOCLINE_ROOT_SECRET_KEY_FILE: "/run/none", THERMOCLINE_ROOT_ACCESS_KEY: "abc" };
    expect(load({ env, argv: ["--root-secret-key=by-flag-1"] }).config.rootSecretKey).toBe("by-flag-1");
  });
});

describe("what is shown", () => {
  test("no secret passes, from any source", () => {
    const secrets = ["file-secret-1", "accountsecret", "clustersecret-16", "masterkey-of-16x", "coldsecret"];
    const account = `{id: a, accessKey: aaa, secretKey: ${secrets[1]}}`;
    const text = `accounts: [${account}]\nclusterSecret: ${secrets[2]}`;
    const { origins } = load({
      files: { "t.yaml": text, s: secrets[0] ?? "" },
      env: {
        THERMOCLINE_CONFIG: "t.yaml",
        THERMOCLINE_ROOT_SECRET_KEY_FILE: "s",
        THERMOCLINE_MASTER_KEY: secrets[3],
      },
      argv: ["--root-access-key=abc", `--cold-secret-key=${secrets[4]}`, "--cold-access-key=cold"],
    });
    const shown = JSON.stringify(showSettings(origins));
    for (const secret of secrets) expect(shown).not.toContain(secret);
    expect(shown).toContain("********");
  });

  test("a row says value, origin and status", () => {
    const rows = showSettings(
      load({ argv: ["--cold-url=s3://bucket/p"], ...yaml("cacheBytes: 64MiB\n") }).origins,
    );
    expect(rows.find(({ name }) => name === "cold.url")).toEqual({
      name: "cold.url",
      value: "s3://bucket/p",
      origin: "flag",
      from: "--cold-url",
      unit: "a cold tier URL",
      status: "used",
    });
    expect(rows.find(({ name }) => name === "cacheBytes")).toMatchObject({
      from: "t.yaml:1 (cacheBytes)",
      status: "used",
    });
  });
});

describe("warnings", () => {
  test("a setting that nothing uses yet is accepted and said so", () => {
    expect(load({ env: { THERMOCLINE_PEER_ADDR: "127.0.0.1:9" } }).warnings).toEqual([
      "THERMOCLINE_PEER_ADDR: accepted, but not used yet",
    ]);
  });

  test("a secret on the command line", () => {
    expect(load({ argv: ["--root-access-key=abc", "--root-secret-key=abcdefgh"] }).warnings).toEqual([
      "--root-secret-key: other users of this machine can see flags; use --root-secret-key-file",
    ]);
  });
});
