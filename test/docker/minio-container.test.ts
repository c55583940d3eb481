/** What tests of the cold tier lean on: that MinIO counts, and comes back as it was. */
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { openClient } from "./bucket-client.ts";
import { startMinioContainer } from "./minio-container.ts";

test("MinIO's own counters show each request once, at once", async () => {
  await using minio = await startMinioContainer({ bucket: "counted" });
  using client = openClient(minio, "counted");
  const before = await minio.requests();
  for (const key of ["a", "b", "c"]) await client.put(key, key);
  await client.s3.send(new ListObjectsV2Command({ Bucket: "counted" }));
  expect(await client.get("b")).toBe("b");
  expect(before["PutObject"] ?? 0).toBe(0);
  expect(await minio.requests()).toMatchObject({ PutObject: 3, ListObjectsV2: 1, GetObject: 1 });
});

test("MinIO that is paused answers nothing, and afterwards goes on", async () => {
  await using minio = await startMinioContainer();
  using client = openClient(minio);
  await minio.pause();
  const put = client.put("slow", "slow");
  const silence = new Promise((resolve) => setTimeout(resolve, 1000, "silence"));
  expect(await Promise.race([put, silence])).toBe("silence");
  await minio.unpause();
  await put;
  expect(await client.get("slow")).toBe("slow");
});

test.each(["stop", "kill"] as const)(
  "after %s and start MinIO has its address and its objects",
  async (end) => {
    await using minio = await startMinioContainer();
    using client = openClient(minio);
    await client.put("kept", "kept");
    await minio[end]();
    await expect(client.get("kept")).rejects.toThrow(/ECONNREFUSED|ECONNRESET|hang up/);
    await minio.start();
    expect(await client.get("kept")).toBe("kept");
  },
);
