/** Restore drills, a tenth of the long run: see restore-drill.ts. */
import { expect, test } from "vitest";
import { runDrills } from "./restore-drill.ts";

test("what every client knew up to the recovery point is there after the machine is gone", async () => {
  const { rounds, failures, facts } = await runDrills({ seed: "ci", rounds: 3, objects: 2000 });
  expect(failures).toEqual([]);
  expect(rounds).toBe(3);
  console.info(`restore drills: ${JSON.stringify(facts)}`);
}, 600_000);
