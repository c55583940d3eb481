/**
 * Small requests over HTTP: signed hot GET and durable PUT of 4 KiB, held against bare node:http, A B A B.
 */
import { temporaryDirectory } from "../support/open-store.ts";
import { load } from "./load.ts";
import { median, perSecond, row } from "./measure.ts";
import type { BenchRow } from "./measure.ts";
import { presign } from "./presign.ts";
import { call, startBare, startThermocline } from "./server-process.ts";
import type { ServerProcess } from "./server-process.ts";

const OBJECTS = 2000;
const BODY_BYTES = 4096;
const CONNECTIONS = 64;
const ROUNDS = 3;
const SECONDS = Number(process.env["BENCH_HTTP_SECONDS"] ?? 6);

function targets(server: ServerProcess, method: string): readonly string[] {
  return Array.from({ length: OBJECTS }, (_, at) =>
    presign(server.signer, method, `/bench/obj/${String(at).padStart(8, "0")}`),
  );
}

export async function benchHttp(): Promise<readonly BenchRow[]> {
  await using directory = await temporaryDirectory();
  await using server = await startThermocline(`${directory.path}/data`);
  await using bare = await startBare();
  await call(server, "PUT", "/bench");
  const common = { connections: CONNECTIONS, seconds: SECONDS, scratch: directory.path };
  const rows: BenchRow[] = [];
  for (const method of ["PUT", "GET"] as const) {
    const bodyBytes = method === "PUT" ? BODY_BYTES : 0;
    const list = targets(server, method);
    const ours: { cpuUs: number; perSecond: number; p99Ms: number }[] = [];
    const control: { cpuUs: number; perSecond: number }[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const { host, pid } = server;
      const mine = await load({ ...common, host, pid, method, targets: list, bodyBytes });
      const theirs = await load({
        ...common,
        host: bare.host,
        pid: bare.pid,
        method,
        targets: list,
        bodyBytes,
      });
      // The first round warms both up.
      if (round === 0) continue;
      ours.push(mine);
      control.push(theirs);
    }
    rows.push(httpRow(method, ours, control));
  }
  return rows;
}

function httpRow(
  method: "PUT" | "GET",
  ours: readonly { cpuUs: number; perSecond: number; p99Ms: number }[],
  control: readonly { cpuUs: number; perSecond: number }[],
): BenchRow {
  const of = <Field extends string>(runs: readonly Readonly<Record<Field, number>>[], field: Field): number =>
    median(runs.map((run) => run[field]));
  const cpu = of(ours, "cpuUs");
  const ratio = of(ours, "perSecond") / of(control, "perSecond");
  const targetUs = method === "GET" ? 21 : 55;
  return row(`${method} 4 KiB${method === "PUT" ? " durable" : " hot"}, signed, ${CONNECTIONS} connections`, {
    ours: `${perSecond(of(ours, "perSecond"))} p99 ${of(ours, "p99Ms").toFixed(1)} ms`,
    control: `${perSecond(of(control, "perSecond"))} bare node:http, ${of(control, "cpuUs").toFixed(1)} µs`,
    ratio: ratio.toFixed(2),
    cpu: cpu.toFixed(1),
    target: method === "GET" ? "≤ 21 µs, ≥ 0.60" : "≤ 55 µs",
    met: cpu <= targetUs && (method === "PUT" || ratio >= 0.6),
  });
}
