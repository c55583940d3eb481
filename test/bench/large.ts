/** Bodies of 64 MiB: server CPU per MiB of a single PUT and GET. */
import { randomBytes } from "node:crypto";
import { temporaryDirectory } from "../support/open-store.ts";
import { cpuOf, median, row } from "./measure.ts";
import type { BenchRow } from "./measure.ts";
import { call, startThermocline } from "./server-process.ts";

const MIB = 1024 * 1024;
const BODY_BYTES = 64 * MIB;
const ROUNDS = 6;

export async function benchLarge(): Promise<readonly BenchRow[]> {
  await using directory = await temporaryDirectory();
  await using server = await startThermocline(`${directory.path}/data`);
  await call(server, "PUT", "/bench");
  const body = randomBytes(BODY_BYTES);
  const rows: BenchRow[] = [];
  for (const method of ["PUT", "GET"] as const) {
    const costs: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const before = cpuOf(server.pid);
      const start = performance.now();
      const response = await call(server, method, "/bench/large", method === "PUT" ? { body } : {});
      let received = 0;
      for await (const piece of response.body ?? []) received += (piece as Uint8Array).length;
      if (method === "GET" && received !== BODY_BYTES) throw new Error(`${received} bytes came back`);
      if (round === 0) continue;
      costs.push((cpuOf(server.pid) - before) / 1000 / 64);
      rates.push(64 / ((performance.now() - start) / 1000));
    }
    const cost = median(costs);
    const target = method === "PUT" ? 3 : 0.9;
    rows.push(
      row(`${method} 64 MiB, one stream`, {
        ours: `${median(rates).toFixed(0)} MiB/s`,
        cpu: `${cost.toFixed(2)} ms/MiB`,
        target: `≤ ${target} ms/MiB`,
        met: cost <= target,
      }),
    );
  }
  return rows;
}
