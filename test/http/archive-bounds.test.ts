/**
 * What an archive may hold, and for how long: bytes on their way to the log, credits, staged bodies. On the
 * fake service, where nothing is stored before a test says so, and on a real store under a small bound.
 */
import { hash } from "node:crypto";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/ports/clock.ts";
import { send as sendEmbedded, startEmbedded } from "../support/embedded.ts";
import { tarEntry, tarOf } from "../support/tar-writer.ts";
import { rawHead, send } from "./client.ts";
import type { FakeWorld } from "./fake-world.ts";
import { startEdge, systemClock } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;
const EXTRACT = { "x-amz-meta-snowball-auto-extract": "true" };

const md5 = (bytes: Buffer): string => `"${hash("md5", bytes, "hex")}"`;

function files(count: number, size: number, at = 0): readonly (readonly [string, Buffer])[] {
  return Array.from({ length: count }, (_, number) => {
    const name = `f${size}-${at + number}`;
    return [name, Buffer.alloc(size, `${name}.`)] as const;
  });
}

const archiveOf = (list: readonly (readonly [string, Buffer])[]): Buffer =>
  tarOf(...list.map(([name, body]) => tarEntry(name, body)));

function bytesUnderWay({ writers }: FakeWorld): number {
  return [...writers].reduce((sum, writer) => sum + writer.bytesUnderWay, 0);
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition() && waited < 500; waited++) await sleep(10);
  expect(condition()).toBe(true);
}

describe("an archive of large files", () => {
  test("has few bytes on their way to the log at a time, and credits for them", async () => {
    const started = await startEdge({ limits: { bytesInFlightMax: 14 * MIB } });
    const { service, port } = started;
    await send(port, { method: "PUT", url: "/bucket" });
    const { world } = service;
    const list = [...files(30, 500_000), ...files(2, 7 * MIB), ...files(10, 100_000), ...files(3, 4 * MIB)];
    const body = archiveOf([...list, ...files(9, MIB), ["last", Buffer.from("small")]]);
    world.chunksAhead = 4;
    let most = 0;
    let beside: number | undefined;
    let answer: { readonly status: number } | undefined;
    const answered = (async () => {
      answer = await send(port, { method: "PUT", url: "/bucket/a.tar", headers: EXTRACT, body });
    })();
    // The log lets a little go, and stands still again.
    while (answer === undefined) {
      const gate = Promise.withResolvers<void>();
      world.writeGate = gate.promise;
      for (let before = -1; before < bytesUnderWay(world); await sleep(40)) before = bytesUnderWay(world);
      most = Math.max(most, bytesUnderWay(world));
      if (world.writers.size > 0)
        beside ??= (await send(port, { method: "PUT", url: "/bucket/b", body: Buffer.alloc(1000) })).status;
      gate.resolve();
      await sleep(1);
    }
    await answered;
    expect([answer.status, beside]).toEqual([200, 503]);
    expect(most).toBeGreaterThan(2 * MIB);
    expect(most).toBeLessThanOrEqual(6 * MIB);
    for (const [name, bytes] of list)
      expect(world.objects.get(`bucket/${name}`)?.etag).toBe(md5(bytes).slice(1, -1));
    await started.close();
  }, 60_000);

  test("fills nobody's queue: other writes go on beside it, and it is stored", async () => {
    await using server = await startEmbedded({ limits: { bytesInFlightMax: "16MiB" } });
    await sendEmbedded(server, { method: "PUT", url: "/bucket" });
    const list = files(120, 500_000);
    let isOver = false;
    const others = async (): Promise<ReadonlySet<number>> => {
      const statuses = new Set<number>();
      for (let at = 0; !isOver; at++) {
        const call = { method: "PUT", url: `/bucket/beside-${at}`, body: Buffer.alloc(4000) };
        statuses.add((await sendEmbedded(server, call)).status);
      }
      return statuses;
    };
    const beside = others();
    const call = { method: "PUT", url: "/bucket/a.tar", headers: EXTRACT, body: archiveOf(list) };
    const { status, body } = await sendEmbedded(server, call);
    isOver = true;
    expect([status, body.toString()]).toEqual([200, ""]);
    expect([...(await beside)]).toEqual([200]);
    const { headers } = await sendEmbedded(server, { method: "HEAD", url: `/bucket/${list[119]?.[0]}` });
    expect(headers["etag"]).toBe(md5(list[119]?.[1] ?? Buffer.alloc(0)));
  }, 60_000);
});

describe("what waits of an archive that takes its time", () => {
  async function withSlowArchive(
    archive: Buffer,
    run: (
      started: StartedEdge,
      way: { readonly socket: Socket; readonly passTime: (ms: number) => void },
    ) => Promise<void>,
  ): Promise<void> {
    let passedMs = 0;
    const monotonicMs = (): number => systemClock.monotonicMs() + passedMs;
    const clock: Clock = { ...systemClock, monotonicMs };
    const started = await startEdge({ clock });
    await send(started.port, { method: "PUT", url: "/bucket" });
    const socket = connect({ port: started.port, host: "127.0.0.1" });
    const headers = { ...EXTRACT, "content-length": String(archive.length) };
    const call = { method: "PUT", url: "/bucket/a.tar", payloadHash: "UNSIGNED-PAYLOAD", headers };
    socket.write(rawHead(started.port, call));
    await run(started, {
      socket,
      passTime: (ms) => {
        passedMs += ms;
      },
    });
    socket.destroy();
    await started.close();
  }

  const LARGE = Buffer.alloc(100 * 1024, "large");
  test.each([
    ["the bytes of a large file", tarEntry("long", Buffer.alloc(3 * MIB, "l"))],
    ["what is passed over", tarEntry("other", Buffer.alloc(3 * MIB), { type: "V" })],
    ["zeros behind the end", Buffer.alloc(3 * MIB)],
  ])("is written while %s come", async (_what, rest) => {
    const start = Buffer.concat([tarEntry("staged", LARGE), tarEntry("small", "small")]);
    const archive = Buffer.concat([start, rest]);
    await withSlowArchive(archive, async ({ service: { world }, port }, { socket, passTime }) => {
      const sendUpTo = (from: number, to: number): void => void socket.write(archive.subarray(from, to));
      sendUpTo(0, start.length + MIB);
      await until(() => [...world.writers].some(({ size }) => size === LARGE.length));
      await sleep(100);
      passTime(14 * MINUTE_MS);
      sendUpTo(start.length + MIB, start.length + 2 * MIB);
      await sleep(100);
      expect(world.objects.size).toBe(0);
      passTime(2 * MINUTE_MS);
      sendUpTo(start.length + 2 * MIB, start.length + 2 * MIB + 1000);
      await until(() => world.objects.size > 0);
      expect(world.keysOf("bucket")).toEqual(["small", "staged"]);
      sendUpTo(start.length + 2 * MIB + 1000, archive.length);
      const [head] = (await new Promise<Buffer>((resolve) => socket.once("data", resolve)))
        .toString()
        .split("\r\n");
      expect(head).toBe("HTTP/1.1 200 OK");
      const inAll = await send(port, { url: "/bucket?list-type=2" });
      expect(inAll.text).not.toContain("<Key>other</Key>");
      expect(inAll.text.includes("<Key>long</Key>")).toBe(rest.includes("long"));
    });
  });
});
