/**
 * A program that embeds a server in memory, for tests that look at it as a process: starts one, uses it, ends
 * it, and says how long importing and starting took. After the last line nothing may keep it alive.
 */
const importStartMs = performance.now();
const { createServer } = await import("../../src/index.ts");
const callMs = performance.now();
const server = await createServer({ memory: true, port: 0, buckets: ["bucket"] });
const readyMs = performance.now();
// Before this file itself loads what its requests need.
const { sharedObjects } = process.report.getReport() as unknown as { readonly sharedObjects: string[] };

const { send } = await import("../support/embedded.ts");
const body = Buffer.alloc(200_000, "x");
const put = await send(server, { method: "PUT", url: "/bucket/key", body });
const got = await send(server, { method: "GET", url: "/bucket/key" });
await server.reset();
const gone = await send(server, { method: "GET", url: "/bucket/key" });
await server.close();

const said = {
  importMs: callMs - importStartMs,
  readyMs: readyMs - callMs,
  statuses: [put.status, got.status, gone.status],
  isWhole: body.equals(got.body),
  hasLevelDb: sharedObjects.some((path) => path.includes("classic-level")),
};
process.stdout.write(`${JSON.stringify(said)}\n`);
