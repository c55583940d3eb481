/** Child of million-objects.ts: fills a directory with objects of 1 KiB, says so, and waits to be killed. */
import { hash } from "node:crypto";
import { openStore } from "../support/open-store.ts";

const [directory, countText] = process.argv.slice(2) as [string, string];
const count = Number(countText);
const BATCH = 1000;

const store = await openStore(directory);
const { buckets, objects } = store.service;
await buckets.create({ name: "bucket", owner: "root", location: "" });
const attributes = { headers: [], metadata: [], checksum: undefined };
for (let start = 0; start < count; start += BATCH) {
  await objects.putMany(
    Array.from({ length: Math.min(BATCH, count - start) }, (_, at) => {
      const key = `object/${start + at}`;
      const bytes = Buffer.alloc(1024, key);
      return {
        bucket: "bucket",
        key,
        etag: hash("md5", bytes),
        attributes,
        body: { kind: "bytes" as const, bytes },
        condition: { kind: "none" as const },
      };
    }),
  );
}
process.stdout.write("filled\n");
setInterval(() => undefined, 1000);
