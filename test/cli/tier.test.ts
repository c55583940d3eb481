/** tier ...: what is asked of the server, what is printed where, and how it ends; against the real edge. */
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { ROOT, ROOT_SECRET } from "../http/fake-service.ts";
import { DONE, FakeTier } from "../http/fake-tier.ts";
import { send } from "../http/client.ts";
import { startEdge } from "../http/start-edge.ts";
import type { StartedEdge } from "../http/start-edge.ts";
import { blockAfter, readReadme } from "../scenario/readme-blocks.ts";
import { run } from "./run.ts";
import type { Outcome } from "./run.ts";

const env = {
  THERMOCLINE_ROOT_ACCESS_KEY: ROOT.accessKey,
  THERMOCLINE_ROOT_SECRET_KEY: ROOT_SECRET,
};

let started: StartedEdge | undefined;
afterEach(async () => {
  await started?.close();
  started = undefined;
});

async function openTier(): Promise<FakeTier> {
  const tier = new FakeTier();
  started = await startEdge({ tier });
  await send(started.port, { method: "PUT", url: "/photos" });
  return tier;
}

function thermocline(...argv: readonly string[]): Promise<Outcome> {
  return run([...argv, `--admin-addr=127.0.0.1:${started?.adminPort}`], { env });
}

describe("tier status", () => {
  test("is a table, or json", async () => {
    await openTier();
    const table = await thermocline("tier", "status");
    expect(table).toMatchObject({ exitCode: 0, err: "" });
    expect(table.out).toBe("NAME      VALUE\nplace     memory:cold\ndegraded  false\n");
    const json = await thermocline("tier", "status", "-o", "json");
    expect(JSON.parse(json.out)).toEqual({ place: "memory:cold", degraded: false });
  });
});

describe("an action", () => {
  test.each<[argv: readonly string[], what: string, terms: object]>([
    [["tier", "offload"], "offload", { all: false }],
    [["tier", "offload", "--all"], "offload", { all: true }],
    [["tier", "recall", "photos"], "recall", { bucket: "photos", prefix: "" }],
    [["tier", "recall", "photos/2026/a b*"], "recall", { bucket: "photos", prefix: "2026/a b*" }],
    [["tier", "recall", "s3://photos/ü/"], "recall", { bucket: "photos", prefix: "ü/" }],
    [["tier", "audit"], "audit", { deep: false, repair: false }],
    [["tier", "audit", "--repair", "--deep"], "audit", { deep: true, repair: true }],
    [["tier", "adopt"], "adopt", {}],
  ])("%j asks for what it says", async (argv, what, terms) => {
    const tier = await openTier();
    tier.outcome = DONE;
    expect(await thermocline(...argv)).toMatchObject({
      exitCode: 0,
      out: "nothing was left to do\n",
      err: "",
    });
    expect(tier.begun.map((each) => [each.what, each.terms])).toEqual([[what, terms]]);
  });

  test("says how far it is on standard error, and what it came to as json", async () => {
    const tier = await openTier();
    const running = thermocline("tier", "offload", "--all", "-o", "json");
    await expect.poll(() => tier.begun.length).toBe(1);
    tier.begun[0]?.call.onProgress("1 of 2 segments uploaded");
    tier.begun[0]?.call.onProgress("2 of 2 segments uploaded");
    await new Promise((resolve) => setTimeout(resolve, 30));
    tier.begun[0]?.finish(DONE);
    const { exitCode, out, err } = await running;
    expect([exitCode, err]).toEqual([0, "1 of 2 segments uploaded\n2 of 2 segments uploaded\n"]);
    expect(JSON.parse(out)).toEqual(DONE);
  });

  test("that leaves something wrong is exit 1, with what it found", async () => {
    const tier = await openTier();
    tier.outcome = { ok: false, lines: ["missing: 1", "orphaned: 0"], facts: {} };
    expect(await thermocline("tier", "audit")).toMatchObject({
      exitCode: 1,
      out: "missing: 1\norphaned: 0\n",
      err: "",
    });
  });

  test("that fails is exit 1 with the server's words, at once or on the way", async () => {
    const tier = await openTier();
    const nowhere = await thermocline("tier", "recall", "nowhere");
    expect([nowhere.exitCode, nowhere.err]).toEqual([
      1,
      expect.stringMatching(
        /^thermocline: .* the server answered 404: The specified bucket does not exist\n$/,
      ),
    ]);
    const running = thermocline("tier", "adopt");
    await expect.poll(() => tier.begun.length).toBe(1);
    tier.begun[0]?.call.onProgress("1 of 2");
    await new Promise((resolve) => setTimeout(resolve, 30));
    started?.edge.drain();
    expect(await running).toMatchObject({
      exitCode: 1,
      out: "",
      err: "1 of 2\nthermocline: This node does not serve: the server is stopping\n",
    });
  });

  test("without a cold tier is exit 1, and says what to set", async () => {
    started = await startEdge();
    for (const argv of [["tier", "status"], ["tier", "offload"], ["tier", "adopt"], ["cost"]]) {
      const { exitCode, err } = await thermocline(...argv);
      expect(exitCode).toBe(1);
      expect(err).toMatch(/the server answered 400: This server has no cold tier; set cold\.url\n$/);
    }
  });

  test("with the wrong secret is exit 1", async () => {
    await openTier();
    const wrong = { ...env, THERMOCLINE_ROOT_SECRET_KEY: "another-secret" };
    const argv = ["tier", "offload", `--admin-addr=127.0.0.1:${started?.adminPort}`];
    const { exitCode, err } = await run(argv, { env: wrong });
    expect(exitCode).toBe(1);
    expect(err).toMatch(/answered 403: .*; is the root pair the one the server was started with\?\n$/);
  });

  test("with nobody there is exit 3", async () => {
    const { exitCode, err } = await run(["tier", "offload", "--admin-addr=127.0.0.1:1"], { env });
    expect(exitCode).toBe(3);
    expect(err).toMatch(/^thermocline: http:\/\/127\.0\.0\.1:1\/-\/tier\/offload: cannot be reached \(ECONN/);
  });
});

/** Against a server that lives for this one call. */
async function against(listener: RequestListener): Promise<Outcome> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return await run(["tier", "adopt", `--admin-addr=127.0.0.1:${port}`], { env });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe("an answer", () => {
  test("in pieces that fit no line is read all the same", async () => {
    const outcome = await against((_, response) => {
      const text = `{"progress":"Köln"}\n{"progress":""}\n{"outcome":{"ok":true,"lines":["ü"],"facts":{}}}\n`;
      const bytes = Buffer.from(text);
      let at = 0;
      const next = (): void => {
        if (at >= bytes.length) return void response.end();
        response.write(bytes.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    });
    expect(outcome).toMatchObject({ exitCode: 0, out: "ü\n", err: "Köln\n" });
  });

  test("that breaks off is exit 3, whatever it said before", async () => {
    for (const how of ["end", "destroy"] as const) {
      const outcome = await against((_, response) => {
        response.write('{"progress":"1 of 2"}\n');
        setTimeout(() => (how === "end" ? response.end() : response.destroy()), 20);
      });
      expect(outcome).toMatchObject({ exitCode: 3, out: "" });
      expect(outcome.err).toMatch(/^1 of 2\nthermocline: .*cannot be reached \(.*\); is the server running/);
    }
  });

  test.each(["<html>\n", "7\n", '{"ready":true}\n'])("of somebody else, %j, is exit 1", async (body) => {
    const outcome = await against((_, response) => response.end(body));
    expect(outcome).toMatchObject({ exitCode: 1, out: "" });
    expect(outcome.err).toContain("the answer is not ours");
  });
});

test("the commands of README.md are those that there are", async () => {
  const tier = await openTier();
  tier.outcome = DONE;
  const lines = blockAfter(readReadme(), "<!-- tier commands -->").split("\n");
  const commands = lines.map((line) => line.replace(/ *#.*$/, "").split(" "));
  for (const [program, ...argv] of commands) {
    const { exitCode, err } = await thermocline(...argv);
    expect([program, argv, exitCode, err]).toEqual(["thermocline", argv, 0, ""]);
  }
  expect(new Set(tier.begun.map(({ what }) => what))).toEqual(
    new Set(["offload", "recall", "audit", "adopt"]),
  );
});

describe("usage", () => {
  test.each([
    [["tier"], /^thermocline: tier needs one more word; write tier status or tier offload or .*\n$/],
    [["tier", "recall"], /tier recall needs <bucket\[\/prefix\]> right behind it; write tier recall photos/],
    [["tier", "recall", "--region=eu-west-1", "photos"], /tier recall needs/],
    [["tier", "adopt", "photos"], /photos: unexpected argument/],
    [["tier", "audit", "--deep=yes"], /--deep takes no value/],
  ])("%j is exit 2", async (argv, err) => {
    expect(await run(argv, { env })).toMatchObject({ exitCode: 2, out: "", err: expect.stringMatching(err) });
  });

  test("help names the argument", async () => {
    const { out } = await run(["tier", "recall", "--help"]);
    expect(out).toContain("Usage: thermocline tier recall <bucket[/prefix]> [flags]");
  });
});
