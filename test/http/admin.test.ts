/**
 * Health on both listeners, metrics and status on the admin listener, access lines in the log.
 */
import { describe, expect, test } from "vitest";
import { OTHER_CREDENTIALS, send } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge, StartOptions } from "./start-edge.ts";

async function withEdge(options: StartOptions, run: (started: StartedEdge) => Promise<void>): Promise<void> {
  const started = await startEdge(options);
  try {
    await run(started);
  } finally {
    await started.close();
  }
}

const PROBES = [
  "/-/live",
  "/-/ready",
  "/-/cluster",
  "/minio/health/live",
  "/minio/health/ready",
  "/minio/health/cluster",
];

describe("admin", () => {
  test("probes need no credentials, on both listeners", () =>
    withEdge({}, async ({ port, adminPort, service }) => {
      for (const url of PROBES) {
        expect((await send(port, { url, credentials: null })).status).toBe(200);
        expect((await send(adminPort, { method: "HEAD", url, credentials: null })).status).toBe(200);
      }
      service.world.ready = false;
      expect((await send(port, { url: "/-/live", credentials: null })).status).toBe(200);
      const answer = await send(port, { url: "/-/ready", credentials: null });
      expect([answer.status, JSON.parse(answer.text)]).toEqual([
        503,
        { ready: false, reason: "the fake is told not to be" },
      ]);
    }));

  test("a bucket called minio keeps all its keys but the three aliases", () =>
    withEdge({}, async ({ port }) => {
      await send(port, { method: "PUT", url: "/minio" });
      await send(port, { method: "PUT", url: "/minio/health/lives", body: "x" });
      expect((await send(port, { url: "/minio/health/lives" })).text).toBe("x");
    }));

  test("/-/metrics shows requests, latency, cache, log, loop delay", () =>
    withEdge({}, async ({ port, adminPort }) => {
      await send(port, { method: "PUT", url: "/bucket" });
      await send(port, { method: "PUT", url: "/bucket/key", body: "x" });
      await send(port, { url: "/bucket/key" });
      await send(port, { url: "/bucket/absent" });
      await send(port, { method: "POST", url: "/bucket?batch-get", body: '["key","key","key"]' });
      const batch = '{"operations":[{"op":"delete","key":"key"},{"op":"delete","key":"key"}]}';
      await send(port, { method: "POST", url: "/bucket?batch", body: batch });
      const { text, headers } = await send(adminPort, { url: "/-/metrics", credentials: null });
      expect(headers["content-type"]).toContain("text/plain");
      expect(text).toContain('thermocline_http_requests_total{operation="GetObject",status="2xx"} 1');
      expect(text).toContain('thermocline_http_requests_total{operation="GetObject",status="4xx"} 1');
      expect(text).toContain('thermocline_http_request_duration_seconds_count{operation="PutObject"} 1');
      expect(text).toContain('thermocline_http_request_duration_seconds_count{operation="GetObjects"} 1');
      expect(text).toContain('thermocline_get_objects_keys_bucket{le="2"} 0');
      expect(text).toContain('thermocline_get_objects_keys_bucket{le="5"} 1');
      expect(text).toContain("thermocline_write_batch_operations_sum 2");
      expect(text).toContain("thermocline_cache_hits_total 7");
      expect(text).toContain('thermocline_log_sync_seconds_bucket{le="0.01"} 5');
      expect(text).toContain('thermocline_log_sync_seconds_bucket{le="+Inf"} 6');
      expect(text).toContain("thermocline_event_loop_delay_p99_seconds 0.002");
      expect(text).toContain("thermocline_segment_live_ratio 1");
      expect(text).toContain("thermocline_clock_skew_seconds -2.5");
    }));

  test("/-/status is for the root pair only", () =>
    withEdge({}, async ({ adminPort }) => {
      const answer = await send(adminPort, { url: "/-/status" });
      expect(JSON.parse(answer.text)).toMatchObject({ nodeId: "n1", ready: true, draining: false });
      expect((await send(adminPort, { url: "/-/status", credentials: null })).code).toBe("AccessDenied");
      expect((await send(adminPort, { url: "/-/status", credentials: OTHER_CREDENTIALS })).code).toBe(
        "AccessDenied",
      );
    }));

  test("the S3 listener has no admin pages, the admin listener no buckets", () =>
    withEdge({}, async ({ port, adminPort }) => {
      expect((await send(port, { url: "/-/metrics", credentials: null })).status).toBe(403);
      expect((await send(adminPort, { url: "/bucket" })).status).toBe(405);
    }));

  test("access lines carry the request id and no credentials", () =>
    withEdge({ accessLog: true }, async ({ port, logLines }) => {
      const answer = await send(port, { url: "/absent/key?X-Amz-Nothing=1" });
      const line = logLines.find(({ message }) => message === "request");
      expect(line?.fields).toMatchObject({
        requestId: answer.headers["x-amz-request-id"],
        operation: "GetObject",
        path: "/absent/key",
        status: 404,
        accessKey: "rootkey",
      });
    }));
});
