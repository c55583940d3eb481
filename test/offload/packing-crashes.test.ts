/** Packing copies in the cold tier: a crash before and after every call of a port. */
import { expect, test } from "vitest";
import { HOUR } from "./garbage-world.ts";
import { wrongCopies } from "./check-copies.ts";
import { collectorOver, packerOf, sparse } from "./packer-world.ts";
import type { Sparse } from "./packer-world.ts";
import { coldPort, crashEverywhere, diskPort, logPort } from "./port-crashes.ts";
import type { Ports } from "./port-crashes.ts";
import { tierNodeOf } from "../../src/start-cold-tier.ts";
import { sealedSegments } from "./tier-world.ts";

const { signal } = new AbortController();

async function pack({ world, store }: Sparse, ports: Ports): Promise<void> {
  const node = tierNodeOf(store.node);
  const packer = packerOf(
    { world, store },
    {
      store: coldPort(world.cold, ports),
      disk: diskPort(world.machine.disk, ports),
      node: { ...node, propose: logPort((command) => node.propose(command), ports) },
    },
  );
  await world.run(Promise.race([packer.packAll(signal), ports.death]));
}

/** The next process: everything is read as it was, and what the dead one left goes. */
async function goOn({ world }: Sparse): Promise<void> {
  const { clock, disk } = world.machine;
  clock.forgetSleepers();
  await disk.kill();
  const store = await world.open();
  await world.run(store.tier.close());
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  await world.run(packerOf({ world, store }).packAll(signal));
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  const named = sealedSegments(store).flatMap(({ cold }) => (cold?.kind === "packed" ? [cold.key] : []));
  expect(named).toHaveLength(3);
  for (const laterMs of [0, 25 * HOUR, 26 * HOUR]) {
    await world.run(collectorOver({ world, store }, laterMs).collect(signal));
  }
  expect(world.keysOf("packed")).toEqual(named.toSorted());
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  await world.close(store);
}

test(
  "a crash at any call of a port while copies are packed loses nothing, and leaves nothing for ever",
  {
    timeout: 120_000,
  },
  async () => {
    const make = async (): Promise<Sparse> => {
      const made = await sparse();
      for (const { id } of sealedSegments(made.store).slice(0, 2)) {
        await made.world.run(made.store.node.local.free(id));
      }
      return made;
    };
    const { calls, crashes } = await crashEverywhere({ make, run: pack, check: goOn });
    const kinds = new Set(calls.map((call) => call.split(" ", 2).join(" ")));
    for (const kind of ["cold put", "cold get", "cold head", "disk read", "log segmentOffloaded"]) {
      expect(kinds).toContain(kind);
    }
    console.info(`packing: ${calls.length} calls of ports, ${crashes} crashes`);
    expect(crashes).toBeGreaterThan(40);
  },
);
