/**
 * `npm run bench [-- NAME ...]`: prints one table. Groups: engine, sustained, http, list, large, upload,
 * batch, cold. HTTP groups need `wrk` on the PATH (a client that costs less than the server), and cold a
 * MinIO; nothing here is a gate.
 */
import { benchBatch } from "./batch.ts";
import { benchCold } from "./cold.ts";
import { benchEngine, benchSustained } from "./engine.ts";
import { benchHttp } from "./http.ts";
import { benchLarge } from "./large.ts";
import { benchList } from "./list.ts";
import { benchUpload } from "./upload.ts";
import { printTable } from "./measure.ts";
import type { BenchRow } from "./measure.ts";

const groups: Readonly<Record<string, () => Promise<readonly BenchRow[]>>> = {
  engine: benchEngine,
  sustained: benchSustained,
  http: benchHttp,
  large: benchLarge,
  list: benchList,
  upload: benchUpload,
  batch: benchBatch,
  cold: benchCold,
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!(name in groups)) {
    process.stderr.write(`no bench is called ${name}; there are ${Object.keys(groups).join(", ")}\n`);
    process.exit(2);
  }
}
const rows: BenchRow[] = [];
for (const [name, run] of Object.entries(groups)) {
  if (wanted.length === 0 || wanted.includes(name)) rows.push(...(await run()));
}
printTable(rows);
