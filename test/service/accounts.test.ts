/** Promises of the accounts: the settings decide, the state holds the same and no secret that can be read. */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { BusyError } from "../../src/base/errors.ts";
import type { AccountSettings } from "../../src/service/accounts.ts";
import { makeDataKey, openDataKey, openSecret, sealSecret } from "../../src/service/sealing.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { keys } from "../../src/state/keys.ts";
import { rows } from "../../src/state/rows.ts";
import { silentLogger } from "../support/open-store.ts";
import { openService } from "./service-world.ts";
import type { ServiceWorld } from "./service-world.ts";

const alice = { id: "alice", displayName: "Alice", accessKey: "alice-key", secretKey: "secret-of-alice" };
const bob = { id: "bob", displayName: "Bob", accessKey: "bob-key", secretKey: "secret-of-bob" };
const settings: AccountSettings = {
  accounts: [alice, bob],
  masterKey: "master-key-number-one",
  rootSecretKey: "root-secret",
};

async function settle(
  service: StoreService,
  changes: Partial<AccountSettings> = {},
): Promise<readonly string[]> {
  const lines: string[] = [];
  const note = (message: string): void => void lines.push(message);
  const logger = { ...silentLogger, warn: note, error: note };
  await service.settleAccounts({ ...settings, ...changes }, { clock: systemClock, logger });
  return lines;
}

/** What a restart with these settings does. */
async function restart(world: ServiceWorld, changes: Partial<AccountSettings> = {}) {
  const service = await world.reopen();
  const before = world.store().node.replica.commitIndex;
  const lines = await settle(service, changes);
  const entries = world.store().node.replica.commitIndex - before;
  const usable = [alice, bob].filter(({ accessKey }) => service.identities.find(accessKey) !== undefined);
  return { service, lines, entries, usable: usable.map(({ id }) => id) };
}

function row(world: ServiceWorld, id: string): Uint8Array | undefined {
  return world.store().node.index.get(keys.account(id));
}

describe("accounts of the settings", () => {
  test("are usable, and written to the state once", async () => {
    await using world = await openService();
    await settle(world.service);
    expect(world.service.identities.find("alice-key")).toEqual({
      identity: { accountId: "alice", displayName: "Alice", accessKey: "alice-key" },
      secretKey: "secret-of-alice",
    });
    expect(world.service.identities.displayName("bob")).toBe("Bob");
    const again = await restart(world);
    expect([again.usable, again.entries, again.lines]).toEqual([["alice", "bob"], 0, []]);
    const changed = await restart(world, { accounts: [{ ...alice, secretKey: "another-secret" }, bob] });
    expect(changed.entries).toBeGreaterThan(0);
    expect(changed.service.identities.find("alice-key")?.secretKey).toBe("another-secret");
    expect(
      (await restart(world, { accounts: [{ ...alice, secretKey: "another-secret" }, bob] })).entries,
    ).toBe(0);
  });

  test("that are gone from the settings stop working, and their buckets stay theirs", async () => {
    await using world = await openService();
    await settle(world.service);
    await world.service.buckets.create({ name: "of-bob", owner: "bob", location: "" });
    const without = await restart(world, { accounts: [alice] });
    expect(without.usable).toEqual(["alice"]);
    expect(row(world, "bob")).toBeUndefined();
    expect(without.service.buckets.find("of-bob")?.owner).toBe("bob");
    const none = await restart(world, { accounts: [] });
    expect([none.usable, row(world, "alice")]).toEqual([[], undefined]);
    expect((await restart(world)).usable).toEqual(["alice", "bob"]);
  });

  test("stand in the state sealed: neither log nor index holds a secret", async () => {
    await using world = await openService();
    await settle(world.service);
    await world.store().node.close();
    let bytesRead = 0;
    for (const entry of await readdir(world.directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await readFile(join(entry.parentPath, entry.name));
      bytesRead += bytes.length;
      for (const secret of [alice.secretKey, bob.secretKey, settings.masterKey ?? "", "root-secret"]) {
        expect([entry.name, bytes.includes(secret)]).toEqual([entry.name, false]);
      }
    }
    expect(bytesRead).toBeGreaterThan(1000);
    await world.reopen();
    expect(rows.account.decode(row(world, "alice") ?? Buffer.alloc(0)).accessKey).toBe("alice-key");
  });

  test("are unusable under a master key that did not seal them, which log and status say", async () => {
    await using world = await openService();
    await settle(world.service);
    const sealed = row(world, "alice");
    const wrong = await restart(world, { masterKey: "master-key-number-two" });
    expect([wrong.usable, wrong.entries]).toEqual([[], 0]);
    expect(wrong.lines.join()).toContain("masterKey is not the one");
    expect(wrong.service.status()).toMatchObject({ ready: true, reason: wrong.lines[0] });
    expect(wrong.service.identities.find("test")).toBeDefined();
    expect(row(world, "alice")).toEqual(sealed);
    expect((await restart(world)).usable).toEqual(["alice", "bob"]);
    // The way to another master key: one start without accounts.
    await restart(world, { accounts: [] });
    const other = await restart(world, { masterKey: "master-key-number-two" });
    expect([other.usable, other.lines]).toEqual([["alice", "bob"], []]);
  });

  test("are sealed anew for a new root secret, and for the first master key", async () => {
    await using world = await openService();
    await settle(world.service, { masterKey: undefined });
    const sealed = row(world, "alice");
    expect((await restart(world, { masterKey: undefined })).entries).toBe(0);
    const changed = await restart(world, { masterKey: undefined, rootSecretKey: "new-root-secret" });
    expect([changed.usable, changed.lines.length]).toEqual([["alice", "bob"], 1]);
    expect(row(world, "alice")).not.toEqual(sealed);
    const first = await restart(world, { rootSecretKey: "new-root-secret" });
    expect([first.usable, first.entries > 0]).toEqual([["alice", "bob"], true]);
    // From now on the root secret has nothing to do with it.
    expect(await restart(world)).toMatchObject({ usable: ["alice", "bob"], entries: 0, lines: [] });
  });

  test("serve although the state cannot be written", async () => {
    await using world = await openService();
    const { replica } = world.store().node;
    replica.proposeTogether = () => Promise.reject(new BusyError("full"));
    const lines = await settle(world.service);
    expect(lines).toEqual(["the accounts could not be written to the state"]);
    expect(world.service.identities.find("bob-key")).toBeDefined();
  });

  test("a thousand of them are written in entries of bounded size", async () => {
    await using world = await openService();
    const accounts = Array.from({ length: 1200 }, (_, at) => ({
      ...alice,
      id: `a${at}`,
      accessKey: `key${at}`,
    }));
    await settle(world.service, { accounts });
    const again = await restart(world, { accounts });
    expect([again.entries, row(world, "a1199") !== undefined]).toEqual([0, true]);
  });
});

describe("a sealed secret", () => {
  const owner = { accountId: "alice", accessKey: "alice-key" };

  test("is opened by its data key for its owner, and by nothing else", async () => {
    const { dataKey, sealed } = await makeDataKey("master", systemRandom);
    const secret = sealSecret(dataKey, owner, "grün", systemRandom);
    expect(openSecret(dataKey, owner, secret)).toBe("grün");
    expect(openSecret(dataKey, { ...owner, accountId: "bob" }, secret)).toBeUndefined();
    expect(openSecret(dataKey, { ...owner, accessKey: "bob-key" }, secret)).toBeUndefined();
    const other = await makeDataKey("master", systemRandom);
    expect(openSecret(other.dataKey, owner, secret)).toBeUndefined();
    expect(await openDataKey("master", sealed)).toEqual(dataKey);
    expect(await openDataKey("Master", sealed)).toBeUndefined();
    expect(await openDataKey("master", { ...sealed, salt: other.sealed.salt })).toBeUndefined();
  });

  test("with any bit changed, or cut short, is refused", async () => {
    const { dataKey } = await makeDataKey("master", systemRandom);
    const secret = sealSecret(dataKey, owner, "secret", systemRandom);
    for (let bit = 0; bit < secret.length * 8; bit++) {
      const changed = Uint8Array.from(secret);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(openSecret(dataKey, owner, changed)).toBeUndefined();
    }
    for (let length = 0; length < secret.length; length++)
      expect(openSecret(dataKey, owner, secret.subarray(0, length))).toBeUndefined();
  });

  test("is another one each time", async () => {
    const { dataKey } = await makeDataKey("master", systemRandom);
    const seals = [1, 2].map(() => sealSecret(dataKey, owner, "secret", systemRandom));
    expect(seals[0]).not.toEqual(seals[1]);
  });
});
