/**
 * Rules that need more than one setting, checked once every single value is right.
 *
 * Halves of a pair come together; a server needs its root pair; the well-known dev pair stays on loopback;
 * nothing listens twice on one port; accounts do not share names; times and sizes leave room for each other.
 * Promises: one problem per broken rule, placed where the user gave the value that breaks it.
 */
import type { Address } from "./address.ts";
import { formatAddress, isLoopback, isWildcard } from "./address.ts";
import type { Config } from "./config.ts";
import { devPair } from "./config.ts";
import type { Problem, ProblemCode } from "./config-error.ts";
import { placeOf } from "./origin.ts";
import type { SettingOrigin } from "./resolve.ts";
import type { Command } from "./setting.ts";

export interface Together {
  readonly config: Config;
  readonly origins: ReadonlyMap<string, SettingOrigin>;
  readonly command: Command;
}

export function checkTogether(together: Together): readonly Problem[] {
  return [
    ...checkPairs(together),
    ...checkRootPair(together),
    ...checkAddresses(together),
    ...checkCluster(together),
    ...checkAccounts(together),
    ...checkSizes(together),
    ...checkCold(together),
  ];
}

function problem(together: Together, name: string, message: string, code: ProblemCode = "conflict"): Problem {
  const found = together.origins.get(name);
  const where = found === undefined ? name : placeOf(found.origin, found.setting);
  return { code, where, message };
}

function isGiven({ origins }: Together, name: string): boolean {
  const kind = origins.get(name)?.origin.kind;
  return kind !== undefined && kind !== "default";
}

function variable({ origins }: Together, name: string): string {
  return origins.get(name)?.setting.variable ?? name;
}

/** Looks at what was given, not at what is set: a computed half must never complete a given one. */
function checkPairs(together: Together): readonly Problem[] {
  const pairs = [
    ["rootAccessKey", "rootSecretKey"],
    ["cold.accessKey", "cold.secretKey"],
    ["tls.certFile", "tls.keyFile"],
  ] as const;
  return pairs.flatMap(([one, other]) => {
    if (isGiven(together, one) === isGiven(together, other)) return [];
    const [given, absent] = isGiven(together, one) ? [one, other] : [other, one];
    return [
      problem(together, given, `is one half of a pair; set ${variable(together, absent)} too`, "missing"),
    ];
  });
}

function checkRootPair(together: Together): readonly Problem[] {
  const { config, command } = together;
  const needed = command === "dev" || command === "server" || command === "status";
  if (!needed || isGiven(together, "rootAccessKey") !== isGiven(together, "rootSecretKey")) return [];
  if (config.rootSecretKey === undefined) {
    const dev =
      command === "status" ? "" : "; thermocline dev brings its own pair while every address is loopback";
    const message = `is not set; set it and THERMOCLINE_ROOT_SECRET_KEY (8 characters or more)${dev}`;
    return [problem(together, "rootAccessKey", message, "missing")];
  }
  const open = listeners(config).find(({ addr }) => !isLoopback(addr));
  if (config.rootSecretKey !== devPair.secretKey || open === undefined || command === "status") return [];
  const message = `is the known dev secret, and ${open.name} is not loopback; choose another`;
  return [problem(together, "rootSecretKey", message)];
}

function listeners(config: Config): readonly { readonly name: string; readonly addr: Address }[] {
  return [
    { name: "s3.addr", addr: config.s3.addr },
    { name: "admin.addr", addr: config.admin.addr },
    { name: "peer.addr", addr: config.peer.addr },
  ];
}

function checkAddresses(together: Together): readonly Problem[] {
  const all = listeners(together.config);
  return all.flatMap((later, i) => {
    const earlier = all.slice(0, i).find((other) => collide(other.addr, later.addr));
    if (earlier === undefined) return [];
    const at = formatAddress(later.addr);
    // The one that was given is the one to mend: the other may be a default nobody thought of.
    const [named, other] = isGiven(together, later.name) ? [later, earlier] : [earlier, later];
    return [problem(together, named.name, `${other.name} listens on ${at} already; choose another port`)];
  });
}

function collide(one: Address, other: Address): boolean {
  const sameHost = one.host === other.host || isWildcard(one) || isWildcard(other);
  return one.port !== 0 && one.port === other.port && sameHost;
}

function checkCluster(together: Together): readonly Problem[] {
  const { nodeId, peers, clusterSecret, raft } = together.config;
  const problems: Problem[] = [];
  if (peers !== undefined && !peers.some((peer) => peer.id === nodeId)) {
    problems.push(problem(together, "peers", `does not name this node, ${nodeId}; add it or mend nodeId`));
  }
  if (peers !== undefined && clusterSecret === undefined) {
    const message = `needs the members' secret; set ${variable(together, "clusterSecret")}`;
    problems.push(problem(together, "peers", message, "missing"));
  }
  if (raft.heartbeatInterval * 3 > raft.electionTimeout) {
    const message = "is more than a third of raft.electionTimeout; lower it";
    problems.push(problem(together, "raft.heartbeatInterval", message));
  }
  return problems;
}

function checkAccounts(together: Together): readonly Problem[] {
  const { accounts = [], rootAccessKey } = together.config;
  const ids = new Set(["root"]);
  const keys = new Set(rootAccessKey === undefined ? [] : [rootAccessKey]);
  return accounts.flatMap((account, i) => {
    const twiceBy = ids.has(account.id) ? "id" : keys.has(account.accessKey) ? "accessKey" : undefined;
    ids.add(account.id);
    keys.add(account.accessKey);
    if (twiceBy === undefined) return [];
    return [problem(together, "accounts", `entry ${i + 1} has the ${twiceBy} of another account; change it`)];
  });
}

function checkSizes(together: Together): readonly Problem[] {
  const { limits } = together.config;
  if (limits.batchBytesMax <= limits.bytesInFlightMax) return [];
  const message = "is more than limits.bytesInFlightMax, so no batch could fill up; lower it";
  return [problem(together, "limits.batchBytesMax", message)];
}

function checkCold(together: Together): readonly Problem[] {
  const { cold } = together.config;
  const problems: Problem[] = [];
  if (cold.sseKmsKeyId !== undefined && cold.sse !== "aws:kms") {
    problems.push(
      problem(together, "cold.sseKmsKeyId", "is for cold.sse aws:kms only; set that too, or leave it out"),
    );
  }
  return problems;
}
