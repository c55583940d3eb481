/**
 * Crashes before and after every call of a port. A scenario is run once to count its calls, and then once for
 * each call and side of it: the process dies there, which means that nothing it began returns and nothing it
 * still tries happens; what is left is what the ports keep (disk, bucket, log), and the `check` of the
 * scenario has to live with it. Scenarios must be deterministic: virtual time, seeded randomness.
 *
 *   const { calls, crashes } = await crashEverywhere({ make, run, check });
 *
 * Ports are wrapped by `coldPort`, `diskPort` and `logPort`, or by `ports.call` for anything else.
 */
import type { ColdStore } from "../../src/ports/cold-store.ts";
import type { Disk, DiskFile } from "../../src/ports/disk.ts";
import type { Command, CommandResult } from "../../src/state/command.ts";

export type CrashPoint = { readonly call: number; readonly side: "before" | "after" };

/** Whoever stands between a process and its ports, and is told of each call. */
export type PortCalls = { call<Result>(name: string, work: () => Promise<Result>): Promise<Result> };

const FOR_EVER = new Promise<never>(() => undefined);

/** The ports of one process, which may die at one of their calls. */
export class Ports {
  /** In order, with what they were for. */
  readonly calls: string[] = [];
  /** Resolves with the call at which the process died. */
  readonly death: Promise<string>;
  readonly #at: CrashPoint | undefined;
  readonly #isCounted: (name: string) => boolean;
  #isDead = false;
  #die: (where: string) => void = () => undefined;

  constructor(at?: CrashPoint, isCounted: (name: string) => boolean = () => true) {
    this.#at = at;
    this.#isCounted = isCounted;
    this.death = new Promise((resolve) => (this.#die = resolve));
  }

  async call<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#isDead) return await FOR_EVER;
    const number = this.#isCounted(name) ? this.calls.push(name) : 0;
    if (this.#isDue(number, "before")) return await this.#end(name);
    try {
      return await work();
    } finally {
      if (this.#isDead) await FOR_EVER;
      if (this.#isDue(number, "after")) await this.#end(name);
    }
  }

  #isDue(call: number, side: CrashPoint["side"]): boolean {
    return this.#at?.call === call && this.#at.side === side;
  }

  async #end(name: string): Promise<never> {
    this.#isDead = true;
    this.#die(`${this.#at?.side} call ${this.#at?.call}, ${name}`);
    return await FOR_EVER;
  }
}

export function coldPort(store: ColdStore, ports: PortCalls): ColdStore {
  const named = (what: string, key: string): string => `cold ${what} ${key}`;
  return {
    place: store.place,
    check: (call) => ports.call("cold check", () => store.check(call)),
    put: (key, body, put) => ports.call(named("put", key), () => store.put(key, body, put)),
    putFile: (key, path, put) => ports.call(named("putFile", key), () => store.putFile(key, path, put)),
    putStream: (key, source, put) =>
      ports.call(named("putStream", key), () => store.putStream(key, source, put)),
    get: (key, get) => ports.call(named("get", key), () => store.get(key, get)),
    head: (key, call) => ports.call(named("head", key), () => store.head(key, call)),
    async *list(prefix, list) {
      yield* await ports.call(named("list", prefix), () => Promise.resolve(store.list(prefix, list)));
    },
    // Key by key, as adapters do it: each may be the last one.
    delete: async (keys, call) => {
      for (const key of keys) await ports.call(named("delete", key), () => store.delete([key], call));
    },
    close: () => store.close(),
  };
}

export function logPort(
  propose: (command: Command) => Promise<CommandResult>,
  ports: PortCalls,
): (command: Command) => Promise<CommandResult> {
  return (command) => ports.call(`log ${command.kind}`, () => propose(command));
}

/** Every call that changes something, or may fail; those that only look are the node's own business. */
export function diskPort(disk: Disk, ports: PortCalls): Disk {
  const spaceNow = disk.spaceNow?.bind(disk);
  return {
    open: async (path, mode) => {
      const file = await ports.call(`disk open ${path}`, () => disk.open(path, mode));
      return filePort(file, path, ports);
    },
    readFile: (path) => ports.call(`disk readFile ${path}`, () => disk.readFile(path)),
    list: (path) => ports.call(`disk list ${path}`, () => disk.list(path)),
    makeDirectory: (path) => ports.call(`disk makeDirectory ${path}`, () => disk.makeDirectory(path)),
    rename: (from, to) => ports.call(`disk rename ${from} ${to}`, () => disk.rename(from, to)),
    remove: (path) => ports.call(`disk remove ${path}`, () => disk.remove(path)),
    removeDirectory: (path) => ports.call(`disk removeDirectory ${path}`, () => disk.removeDirectory(path)),
    syncDirectory: (path) => ports.call(`disk syncDirectory ${path}`, () => disk.syncDirectory(path)),
    lock: (path) => ports.call(`disk lock ${path}`, () => disk.lock(path)),
    space: (path) => disk.space(path),
    ...(spaceNow === undefined ? {} : { spaceNow }),
  };
}

function filePort(file: DiskFile, path: string, ports: PortCalls): DiskFile {
  return {
    read: (target, position) => ports.call(`disk read ${path}`, () => file.read(target, position)),
    readSync: (target, position) => file.readSync(target, position),
    write: (source, position) => ports.call(`disk write ${path}`, () => file.write(source, position)),
    truncate: (size) => ports.call(`disk truncate ${path}`, () => file.truncate(size)),
    sync: () => ports.call(`disk sync ${path}`, () => file.sync()),
    size: () => file.size(),
    close: () => file.close(),
  };
}

export type CrashScenario<World> = {
  /** Which calls are of interest; all, if left out. */
  readonly isCounted?: (name: string) => boolean;
  /** What is there before the process starts; the same every time. */
  readonly make: () => Promise<World> | World;
  /** The life of the process, over ports that are wrapped with these. */
  readonly run: (world: World, ports: Ports) => Promise<unknown>;
  /** The next process begins, and has to find everything. Also called after a run without a crash. */
  readonly check: (world: World, crash: string) => Promise<void> | void;
};

export type CrashCounts = { readonly calls: readonly string[]; readonly crashes: number };

/** Throws what a check throws, with the crash that led to it. */
export async function crashEverywhere<World>(
  scenario: CrashScenario<World>,
  { every = 1 }: { readonly every?: number } = {},
): Promise<CrashCounts> {
  const { ports } = await crashOnce(scenario, undefined);
  let crashes = 0;
  for (let call = 1; call <= ports.calls.length; call += every) {
    for (const side of ["before", "after"] as const) {
      const { died } = await crashOnce(scenario, { call, side });
      if (!died) throw new Error(`call ${call} of ${ports.calls.length} never came: not deterministic`);
      crashes++;
    }
  }
  return { calls: ports.calls, crashes };
}

async function crashOnce<World>(
  { make, run, check, isCounted }: CrashScenario<World>,
  at: CrashPoint | undefined,
): Promise<{ readonly ports: Ports; readonly died: boolean }> {
  const world = await make();
  const ports = new Ports(at, isCounted);
  const end = await Promise.race([run(world, ports).then(() => undefined), ports.death]);
  const crash = end ?? "no crash";
  try {
    await check(world, crash);
  } catch (error) {
    throw new Error(`after a crash ${crash}: ${String(error)}`, { cause: error });
  }
  return { ports, died: end !== undefined };
}
