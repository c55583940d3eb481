/** What clients did, as if one by one: batches and archives by what is in them, failures not at all. */
import { hash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import type { Usage } from "../../src/offload/cost.ts";
import type { BatchOutcome } from "../../src/service/batch-api.ts";
import { tarEntry, tarOf } from "../support/tar-writer.ts";
import { elementOf, send } from "./client.ts";
import type { Answer, Call } from "./client.ts";
import { FakeTier } from "./fake-tier.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

let started: StartedEdge | undefined;
afterEach(async () => {
  await started?.close();
  started = undefined;
});

class Client {
  readonly #port: number;
  readonly #tier: FakeTier;
  #before: Usage;

  private constructor(port: number, tier: FakeTier) {
    this.#port = port;
    this.#tier = tier;
    this.#before = tier.readClients();
  }

  static async open(): Promise<Client> {
    const tier = new FakeTier();
    started = await startEdge({ tier });
    const client = new Client(started.port, tier);
    await client.call("PUT", "/bucket");
    client.usage();
    return client;
  }

  call(method: string, url: string, more: Partial<Call> = {}): Promise<Answer> {
    return send(this.#port, { method, url, ...more });
  }

  /** What came on top since it was asked last; zeros are left out. */
  usage(): Partial<Usage> {
    const before = this.#before;
    const now = this.#tier.readClients();
    this.#before = now;
    const names = ["puts", "gets", "heads", "lists", "deletes", "bytesIn", "bytesOut"] as const;
    const grown = names.map((name) => [name, now[name] - before[name]] as const);
    return Object.fromEntries(grown.filter(([, count]) => count !== 0));
  }
}

test("requests count by what S3 calls them, with the bytes of their bodies", async () => {
  const client = await Client.open();
  await client.call("PUT", "/bucket/small", { body: "12345" });
  expect(client.usage()).toEqual({ puts: 1, bytesIn: 5 });
  await client.call("PUT", "/bucket/large", { body: Buffer.alloc(3_000_000) });
  expect(client.usage()).toEqual({ puts: 1, bytesIn: 3_000_000 });
  await client.call("GET", "/bucket/small");
  await client.call("GET", "/bucket/large");
  expect(client.usage()).toEqual({ gets: 2, bytesOut: 3_000_005 });
  await client.call("GET", "/bucket/large", { headers: { range: "bytes=10-19" } });
  expect(client.usage()).toEqual({ gets: 1, bytesOut: 10 });
  await client.call("HEAD", "/bucket/large");
  expect(client.usage()).toEqual({ heads: 1 });
  const listed = await client.call("GET", "/bucket?list-type=2");
  expect(client.usage()).toEqual({ lists: 1, bytesOut: listed.body.length });
  await client.call("DELETE", "/bucket/small");
  expect(client.usage()).toEqual({ deletes: 1 });
});

test("what failed costs nothing, and probes and pages of ours neither", async () => {
  const client = await Client.open();
  await client.call("GET", "/bucket/absent");
  await client.call("PUT", "/nowhere/key", { body: "12345" });
  await client.call("GET", "/-/live", { credentials: null });
  await send(started?.adminPort ?? 0, { url: "/-/status" });
  const { puts, gets, heads, lists, deletes } = client.usage();
  expect([puts, gets, heads, lists, deletes]).toEqual(Array.from({ length: 5 }, () => undefined));
});

test("each part of an upload is a request, and so are its beginning and its end", async () => {
  const client = await Client.open();
  const begun = await client.call("POST", "/bucket/key?uploads");
  const uploadId = elementOf(begun.text, "UploadId");
  const part = `/bucket/key?uploadId=${uploadId}&partNumber=1`;
  const { headers } = await client.call("PUT", part, { body: "part" });
  const document = `<Part><PartNumber>1</PartNumber><ETag>${headers.etag}</ETag></Part>`;
  const body = `<CompleteMultipartUpload>${document}</CompleteMultipartUpload>`;
  await client.call("POST", `/bucket/key?uploadId=${uploadId}`, { body });
  expect(client.usage()).toMatchObject({ puts: 3, bytesIn: 4 + body.length });
});

test("a batch is its steps, and one that was refused is nothing", async () => {
  const client = await Client.open();
  const outcomes: BatchOutcome[] = [
    {
      kind: "done",
      results: [
        { kind: "put", etag: "e", versionId: undefined },
        { kind: "put", etag: "e", versionId: undefined },
        { kind: "deleted", version: undefined },
        { kind: "checked" },
      ],
    },
    { kind: "refused", at: 1, reason: "preconditionFailed" },
  ];
  const write = (): Promise<BatchOutcome | undefined> => Promise.resolve(outcomes.shift());
  Object.assign(started?.service ?? {}, { batches: { write } });
  const steps = [
    { op: "put", key: "a", size: 1 },
    { op: "copy", key: "b", source: "a" },
    { op: "delete", key: "c" },
    { op: "check", key: "d", ifNoneMatch: "*" },
  ];
  const body = `${JSON.stringify({ operations: steps })}\nx`;
  const headers = { "content-type": "application/x-thermocline-batch" };
  expect((await client.call("POST", "/bucket?batch", { body, headers })).status).toBe(200);
  expect(client.usage()).toMatchObject({ puts: 2, deletes: 1, heads: 1 });
  expect((await client.call("POST", "/bucket?batch", { body, headers })).status).toBe(412);
  expect(client.usage()).not.toHaveProperty("puts");
});

test("a GET of many is one for each object that is there", async () => {
  const client = await Client.open();
  await client.call("PUT", "/bucket/a", { body: "1" });
  client.usage();
  const many = await client.call("POST", "/bucket?batch-get", { body: '["a","a","absent"]' });
  expect(client.usage()).toEqual({ gets: 2, bytesIn: 18, bytesOut: many.body.length });
});

test("a deletion of many is one for each key", async () => {
  const client = await Client.open();
  const keys = ["a", "b", "c"].map((key) => `<Object><Key>${key}</Key></Object>`);
  const body = `<Delete>${keys.join("")}</Delete>`;
  const headers = { "content-md5": hash("md5", body, "base64") };
  expect((await client.call("POST", "/bucket?delete", { body, headers })).status).toBe(200);
  expect(client.usage()).toMatchObject({ deletes: 3, bytesIn: body.length });
});

test("an archive is the objects in it", async () => {
  const client = await Client.open();
  const body = tarOf(tarEntry("a", "1"), tarEntry("b", "2"), tarEntry("c", "3"));
  const headers = { "x-amz-meta-snowball-auto-extract": "true" };
  expect((await client.call("PUT", "/bucket/archive.tar", { body, headers })).status).toBe(200);
  expect(client.usage()).toEqual({ puts: 3, bytesIn: body.length });
});
