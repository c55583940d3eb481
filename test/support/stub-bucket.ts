/** A bucket behind the stub endpoint: it keeps what it is given and remembers every request. */
import { createHash } from "node:crypto";
import { startStub } from "./bucket-stub.ts";
import type { StubAnswer, StubRequest } from "./bucket-stub.ts";

export type SeenRequest = Pick<StubRequest, "method" | "url" | "headers">;

export type StubBucket = AsyncDisposable & {
  readonly endpoint: string;
  readonly requests: readonly SeenRequest[];
  readonly objects: ReadonlyMap<string, Buffer>;
  readonly sockets: () => { readonly most: number };
};

export async function startStubBucket(): Promise<StubBucket> {
  const objects = new Map<string, Buffer>();
  const requests: SeenRequest[] = [];
  const stub = await startStub(async (request, response) => {
    const { method, url, headers } = request;
    requests.push({ method, url, headers });
    await answer(objects, request, response);
  });
  const { endpoint, sockets } = stub;
  return { endpoint, requests, objects, sockets, [Symbol.asyncDispose]: () => stub[Symbol.asyncDispose]() };
}

const answer = async (
  objects: Map<string, Buffer>,
  request: StubRequest,
  response: Parameters<StubAnswer>[1],
): Promise<void> => {
  const { method, url, headers } = request;
  const [path = "", query = ""] = url.split("?", 2);
  const body = await request.body();
  if (query.includes("list-type=2")) {
    response.writeHead(200, { "content-type": "application/xml" });
    response.end(listingOf(objects, path, new URLSearchParams(query).get("prefix") ?? ""));
    return;
  }
  if (method === "PUT") {
    objects.set(path, body);
    response.writeHead(200, { etag: '"e"' }).end();
    return;
  }
  const bytes = objects.get(path);
  if (bytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const common = { etag: '"e"', "last-modified": new Date(0).toUTCString(), "x-amz-meta-sha256": sha256 };
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
  const part = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1);
  const range = from === undefined ? {} : { "content-range": `bytes ${from}-${to}/${bytes.length}` };
  response.writeHead(from === undefined ? 200 : 206, { ...common, ...range, "content-length": part.length });
  response.end(method === "HEAD" ? "" : part);
};

function listingOf(objects: ReadonlyMap<string, Buffer>, path: string, prefix: string): string {
  const bucket = `${path.replace(/\/$/, "")}/`;
  const keys = [...objects.keys()].map((key) => key.slice(bucket.length)).toSorted();
  const contents = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => `<Contents><Key>${key}</Key><Size>${objects.get(bucket + key)?.length}</Size></Contents>`);
  return `<ListBucketResult><IsTruncated>false</IsTruncated>${contents.join("")}</ListBucketResult>`;
}
