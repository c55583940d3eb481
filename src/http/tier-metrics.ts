/** The cold tier on the metrics page: what was asked of it, as the endpoint counts it. */
import { Counter } from "prom-client";
import type { Registry } from "prom-client";
import type { TierDesk } from "../service/tier-api.ts";

export function registerTier(registry: Registry, tier: TierDesk): void {
  const requests: Counter = new Counter({
    name: "thermocline_cold_requests_total",
    help: "Requests to the cold tier, repeated ones too",
    labelNames: ["operation", "kind", "status"],
    registers: [registry],
    collect: () => {
      requests.reset();
      for (const { operation, kind, status, requests: count } of tier.tallies) {
        requests.inc({ operation, kind, status }, count);
      }
    },
  });
  const bytes: Counter = new Counter({
    name: "thermocline_cold_bytes_total",
    help: "Bytes of bodies to and from the cold tier",
    labelNames: ["kind", "direction"],
    registers: [registry],
    collect: () => {
      bytes.reset();
      for (const [kind, { bytesIn, bytesOut }] of Object.entries(tier.usage)) {
        bytes.inc({ kind, direction: "sent" }, bytesIn);
        bytes.inc({ kind, direction: "received" }, bytesOut);
      }
    },
  });
}
