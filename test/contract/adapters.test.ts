/** The contracts of the storage ports, kept by the real adapters and by the simulated ones alike. */
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { MemoryDisk } from "../../src/adapters/memory-disk.ts";
import { MemoryIndex } from "../../src/adapters/memory-index-store.ts";
import { MemorySpace } from "../../src/adapters/memory-space.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import type { IndexStore } from "../../src/ports/index-store.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { diskContract } from "./disk-contract.ts";
import { indexStoreContract } from "./index-store-contract.ts";
import type { IndexWorld } from "./index-store-contract.ts";

diskContract("NodeDisk", async () => {
  const directory = await temporaryDirectory();
  return {
    disk: new NodeDisk(),
    directory: directory.path,
    [Symbol.asyncDispose]: directory[Symbol.asyncDispose],
  };
});

diskContract("SimDisk", async () => {
  const disk = new SimDisk();
  await disk.makeDirectory("/data");
  return { disk, directory: "/data", [Symbol.asyncDispose]: () => Promise.resolve() };
});

diskContract("MemoryDisk", async () => {
  const disk = new MemoryDisk(new MemorySpace({ bytesMax: 64 * 1024 * 1024 }));
  await disk.makeDirectory("/data");
  return { disk, directory: "/data", [Symbol.asyncDispose]: () => Promise.resolve() };
});

async function worldOf(open: () => Promise<IndexStore>, cleanUp: () => Promise<void>): Promise<IndexWorld> {
  let current = await open();
  return {
    store: current,
    reopen: async () => {
      await current.close();
      current = await open();
      return current;
    },
    [Symbol.asyncDispose]: async () => {
      await current.close();
      await cleanUp();
    },
  };
}

indexStoreContract("LevelIndexStore", async () => {
  const directory = await temporaryDirectory();
  const path = `${directory.path}/index`;
  return await worldOf(
    () => LevelIndexStore.open(path),
    async () => await directory[Symbol.asyncDispose](),
  );
});

indexStoreContract("SimIndexStore", async () => {
  const disk = new SimDisk();
  return await worldOf(
    () => SimIndexStore.open(disk, "/index"),
    () => Promise.resolve(),
  );
});

indexStoreContract("MemoryIndexStore", async () => {
  const index = new MemoryIndex(new MemorySpace({ bytesMax: 64 * 1024 * 1024 }));
  return await worldOf(
    () => index.open(),
    () => Promise.resolve(),
  );
});
