/** cost: the server's figures as a table, and what stands on the command line as a question. */
import { afterEach, describe, expect, test } from "vitest";
import { costTable } from "../../src/cli/cost-table.ts";
import { NO_USAGE, S3_STANDARD_US_EAST_1, costReport } from "../../src/offload/cost.ts";
import type { Usage, UsageByKind } from "../../src/offload/cost.ts";
import type { CostAnswer } from "../../src/service/tier-api.ts";
import { NO_FORECAST } from "../offload/forecasts.ts";
import { ROOT, ROOT_SECRET } from "../http/fake-service.ts";
import { FakeTier } from "../http/fake-tier.ts";
import { startEdge } from "../http/start-edge.ts";
import type { StartedEdge } from "../http/start-edge.ts";
import { blockAfter, readReadme, sessionOf } from "../scenario/readme-blocks.ts";
import { exampleAnswer } from "./cost-example.ts";
import { run } from "./run.ts";
import type { Outcome } from "./run.ts";

const env = {
  THERMOCLINE_ROOT_ACCESS_KEY: ROOT.accessKey,
  THERMOCLINE_ROOT_SECRET_KEY: ROOT_SECRET,
};
const MIB = 1024 * 1024;

let started: StartedEdge | undefined;
afterEach(async () => {
  await started?.close();
  started = undefined;
});

async function askedWith(...argv: readonly string[]): Promise<readonly [tier: FakeTier, outcome: Outcome]> {
  const tier = new FakeTier();
  started = await startEdge({ tier });
  const outcome = await run(["cost", `--admin-addr=127.0.0.1:${started.adminPort}`, ...argv], {
    env: { ...env, THERMOCLINE_TIER_AFTER: "3h", THERMOCLINE_COST_GIB_MONTH: "9" },
  });
  return [tier, outcome];
}

describe("cost", () => {
  test("asks for nothing but the figures, whatever the environment says", async () => {
    const [tier, { exitCode, out, err }] = await askedWith();
    expect([exitCode, err.replaceAll(/^thermocline: warning: .*\n/gm, "")]).toEqual([0, ""]);
    expect(tier.questions).toEqual([{ policy: {}, prices: {} }]);
    expect(out).toContain("COLD TIER      memory:cold\n");
  });

  test("tries out what stands on the command line", async () => {
    const [tier, { exitCode }] = await askedWith(
      "--tier-after=7d",
      "--recovery-point=off",
      "--hot-bytes-max=50%",
      "--cost-thousand-writes=0.0000000045",
      "--cost-thousand-reads=1",
      "--cost-thousand-deletes=2",
      "--cost-gib-month=0",
      "--cost-gib-in=3.5",
      "--cost-gib-out=0.09",
    );
    expect(exitCode).toBe(0);
    expect(tier.questions).toEqual([
      {
        policy: {
          tierAfterMs: 7 * 24 * 3_600_000,
          recoveryPointMs: "off",
          hotBytesMax: { kind: "percent", percent: 50 },
        },
        prices: {
          thousandWrites: 0.0000000045,
          thousandReads: 1,
          thousandDeletes: 2,
          gibMonth: 0,
          gibIn: 3.5,
          gibOut: 0.09,
        },
      },
    ]);
    await started?.close();
    const [other] = await askedWith("--hot-bytes-max=5GiB", "--recovery-point", "30s");
    expect(other.questions[0]?.policy).toEqual({
      recoveryPointMs: 30_000,
      hotBytesMax: { kind: "bytes", bytes: 5 * 1024 ** 3 },
    });
  });

  test("prints the whole answer as json", async () => {
    const [, { out }] = await askedWith("-o", "json");
    expect(JSON.parse(out)).toMatchObject({ place: "memory:cold", report: { total: { puts: 0 } } });
  });

  test.each([
    ["--cost-gib-month=-1", /"-1" is not a price; write dollars such as 0\.005/],
    ["--cost-gib-month=cheap", /"cheap" is not a price/],
    ["--tier-after=7", /has no unit/],
  ])("%s is exit 2", async (flag, err) => {
    expect(await run(["cost", flag], { env })).toMatchObject({
      exitCode: 2,
      err: expect.stringMatching(err),
    });
  });
});

test("the example of README.md is what is printed", async () => {
  const [example] = sessionOf(blockAfter(readReadme(), "<!-- cost session -->"));
  const argv = example?.command.split(" ") ?? [];
  const tier = new FakeTier();
  started = await startEdge({ tier });
  tier.cost = (asked) => {
    expect(asked.policy).toEqual({ tierAfterMs: 604_800_000, recoveryPointMs: "off" });
    return Promise.resolve(exampleAnswer);
  };
  const where = `--admin-addr=127.0.0.1:${started.adminPort}`;
  const { exitCode, out } = await run([...argv.slice(1), where], { env });
  expect([argv[0], exitCode, out]).toEqual(["thermocline", 0, example?.output]);
});

function answerOf(
  kinds: Partial<UsageByKind>,
  clients: Usage,
  changes: Partial<CostAnswer> = {},
): CostAnswer {
  const none = { segment: NO_USAGE, packed: NO_USAGE, snapshot: NO_USAGE };
  const usage = { ...none, tail: NO_USAGE, manifest: NO_USAGE, other: NO_USAGE, ...kinds };
  return {
    since: "2026-11-21T00:00:00.000Z",
    place: "s3://lake/cold",
    prices: S3_STANDARD_US_EAST_1,
    report: costReport(usage, clients, S3_STANDARD_US_EAST_1),
    forecast: { now: NO_FORECAST, changed: undefined },
    ...changes,
  };
}

const usage = (changes: Partial<Usage>): Usage => ({ ...NO_USAGE, ...changes });

describe("the table", () => {
  test("has a line for each kind that there is, their sum, and the same one by one", () => {
    const now = {
      ...NO_FORECAST,
      hotBytes: 3 * MIB,
      tailsPerMonthMax: 259_200,
      dollarsPerMonth: 1.296,
    };
    const changed = { ...NO_FORECAST, uploads: { segments: 1, bytes: 64 * MIB }, dollarsNow: 0.000_005 };
    const answer = answerOf(
      {
        segment: usage({ puts: 7, heads: 7, bytesIn: 448 * MIB, storedBytes: 448 * MIB }),
        manifest: usage({ puts: 2, lists: 1, bytesIn: 1536 }),
      },
      usage({ puts: 100_000, gets: 100_000, bytesIn: 4096e5, bytesOut: 4096e5, storedBytes: 4096e5 }),
      { forecast: { now, changed } },
    );
    expect(costTable(answer)).toBe(`COLD TIER      s3://lake/cold
counted since  2026-11-21T00:00:00.000Z
prices: S3 Standard list prices, us-east-1, as known in November 2026, transfer within the region

            PUT      GET      HEAD  LIST  DELETE  SENT       RECEIVED   STORED     REQUESTS
segment     7        0        7     0     0       448 MiB    0 B        448 MiB    $0.0000378
manifest    2        0        0     1     0       1.5 KiB    0 B        0 B        $0.0000150
total       9        0        7     1     0       448 MiB    0 B        448 MiB    $0.0000528
one by one  100,000  100,000  0     0     0       390.6 MiB  390.6 MiB  390.6 MiB  $0.540

requests: 10,227 times cheaper than one by one
storage, a month: $0.0101; one by one $0.00877

WHAT THE POLICY DOES NEXT  NOW      CHANGED
uploads                    none     1 segment, 64 MiB
packs                      none     none
frees                      none     none
recalls                    none     none
on this disk then          3 MiB    0 B
in the bucket then         0 B      0 B
requests for that          $0       $0.00000500
tails a month, at most     259,200  0
lists a month              0        0
cold reads a month         0        0
a month, if busy           $1.30    $0
`);
  });

  test.each<[what: string, kinds: Partial<UsageByKind>, clients: Usage, line: string]>([
    ["nothing was asked yet", {}, usage({ puts: 5 }), "requests: none so far"],
    [
      "it was dearer",
      { tail: usage({ puts: 1000 }) },
      usage({ puts: 300 }),
      "requests: 3.4 times what one by one would have cost",
    ],
    [
      "clients asked nothing",
      { tail: usage({ puts: 1 }) },
      NO_USAGE,
      "requests: many times what one by one would have cost",
    ],
    [
      "it was a little cheaper",
      { tail: usage({ puts: 100 }) },
      usage({ puts: 159 }),
      "requests: 1.5 times cheaper than one by one",
    ],
  ])("tells the truth when %s", (_, kinds, clients, line) => {
    expect(costTable(answerOf(kinds, clients))).toContain(`${line}\n`);
  });

  test("shows transfer where it has a price, and the present policy alone where none was tried", () => {
    const prices = { ...S3_STANDARD_US_EAST_1, perGibOut: 0.09 };
    const tail = usage({ gets: 1, bytesOut: 1024 ** 3 });
    const before = answerOf({ tail }, NO_USAGE);
    const text = costTable({
      ...before,
      report: costReport({ ...before.report.byKind, tail }, NO_USAGE, prices),
    });
    expect(text).toContain("transfer: $0.0900; one by one $0\n");
    expect(text).not.toContain("CHANGED");
    expect(costTable(before)).not.toContain("transfer:");
  });
});
