/** Says after each step whether the SDK or the cold tier was asked for; run by open-cold-store.test.ts. */
import { registerHooks } from "node:module";

let isLoaded = false;
let isTierLoaded = false;
registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier.startsWith("@aws-sdk/")) isLoaded = true;
    if (specifier.endsWith("/start-cold-tier.ts")) isTierLoaded = true;
    return next(specifier, context);
  },
});

const { createServer } = await import("../../src/index.ts");
const server = await createServer({ memory: true });
await server.close();
const said: Record<string, boolean> = { server: isLoaded, tier: isTierLoaded };

const { openColdStore } = await import("../../src/adapters/open-cold-store.ts");
const { NodeDisk } = await import("../../src/adapters/node-disk.ts");
const { systemClock } = await import("../../src/adapters/system-clock.ts");
const { systemRandom } = await import("../../src/adapters/system-random.ts");
const ports = { disk: new NodeDisk(), clock: systemClock, random: systemRandom };
const steps = [
  ["none", { kind: "none" }],
  ["folder", { kind: "folder", path: "cold" }],
  ["bucket", { kind: "s3", bucket: "bucket", prefix: "" }],
] as const;
for (const [name, url] of steps) {
  const store = await openColdStore({ url, poolSize: 1 }, ports);
  await store?.close();
  said[name] = isLoaded;
}
process.stdout.write(JSON.stringify(said));
