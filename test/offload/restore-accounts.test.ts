/** Secrets are sealed in the log, and so in the bucket: accounts need the master key of the lost store. */
import { expect, test } from "vitest";
import type { StoreService } from "../../src/service/store-service.ts";
import { put, textOf } from "../service/service-world.ts";
import { silentLogger } from "../support/open-store.ts";
import { Bucket, RestoreWorld } from "./restore-world.ts";

const MASTER_KEY = "the master key of a company";
const alice = { id: "alice", displayName: "Alice", accessKey: "alice-key", secretKey: "secret of alice" };

/** Keys are derived on a thread of the system: virtual time passes meanwhile, a millisecond at a time. */
async function settle(world: RestoreWorld, service: StoreService, masterKey: string): Promise<void> {
  const settings = { accounts: [alice], masterKey, rootSecretKey: "root-secret" };
  const { clock } = world.machine;
  let done = false;
  const settled = service.settleAccounts(settings, { clock, logger: silentLogger });
  const finish = (): void => void (done = true);
  settled.then(finish, finish);
  while (!done) {
    await clock.advance(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await settled;
}

async function lostWithAccounts(): Promise<RestoreWorld> {
  const world = new RestoreWorld();
  const store = await world.open();
  await world.run(store.service.buckets.create({ name: "b", owner: "alice", location: "" }));
  await settle(world, store.service, MASTER_KEY);
  await world.run(put(store.service, "hers", "of alice"));
  await new Bucket(world, store).run((to) => to.everything());
  await world.close(store);
  return world;
}

test("with the master key accounts are as they were", async () => {
  const world = await lostWithAccounts();
  const { store } = await world.revived();
  await settle(world, store.service, MASTER_KEY);
  expect(store.service.identities.find(alice.accessKey)?.secretKey).toBe(alice.secretKey);
  expect(store.service.identities.problem).toBeUndefined();
  expect(store.service.buckets.find("b")?.owner).toBe("alice");
});

test("without it objects are there, and accounts are unusable, which is said", async () => {
  const world = await lostWithAccounts();
  const { store } = await world.revived();
  await settle(world, store.service, "another key");
  expect(store.service.identities.find(alice.accessKey)).toBeUndefined();
  expect(store.service.identities.problem).toContain("masterKey is not the one");
  expect(await world.run(textOf(store.service, "hers"))).toBe("of alice");
});

test("nothing in the bucket shows a secret", async () => {
  const world = await lostWithAccounts();
  for (const { bytes } of world.objects.values()) {
    expect(bytes.includes(alice.secretKey)).toBe(false);
    expect(bytes.includes(MASTER_KEY)).toBe(false);
  }
});
