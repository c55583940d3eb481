/**
 * The accounts of the settings, brought into the state at the start of a server. The settings are the
 * authority: what they name is usable, what they no longer name is deleted (its buckets stay, and belong to
 * its id still). The state holds the same, secrets sealed, so that the bucket of the cold tier will hold it
 * too; only what has changed is written.
 *
 * A master key that was given and does not open what stands there is most likely the wrong one. Sealing anew
 * would hide that until somebody needs the sealed copies, so the accounts are unusable then (RULES.md R23),
 * which the log and the status say. Where the master key follows from the root secret, a new root secret is
 * no such mistake: the secrets are sealed anew.
 */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Random } from "../ports/random.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import { keys, ranges } from "../state/keys.ts";
import { rows } from "../state/rows.ts";
import type { AccountRow } from "../state/rows.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { Account, Identities } from "./identities.ts";
import { makeDataKey, openDataKey, openSecret, sealSecret } from "./sealing.ts";
import type { SealedKey } from "./sealing.ts";

export type AccountSettings = {
  readonly accounts: readonly Account[];
  /** `undefined`: it follows from the root secret. */
  readonly masterKey: string | undefined;
  readonly rootSecretKey: string;
};

type Parts = {
  readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly index: StateIndex;
  readonly identities: Identities;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** An entry touches at most a thousand rows (RULES.md R5). */
const COMMANDS_PER_ENTRY = 500;
/** A disk that is full must not keep a server from starting. */
const WRITE_MS_MAX = 5000;
const PAGE = 1000;

const WRONG_MASTER_KEY =
  "the accounts are unusable: masterKey is not the one that their secrets were sealed with. Give that one; " +
  "or, to seal them under this one, start once without accounts";

export async function settleAccounts(parts: Parts, settings: AccountSettings): Promise<void> {
  const { identities, logger } = parts;
  const { accounts } = settings;
  const known = await readAccounts(parts.index);
  const gone = [...known.keys()].filter((accountId) => accounts.every(({ id }) => id !== accountId));
  const commands: Command[] = gone.map((accountId) => ({ kind: "deleteAccount", accountId }));
  if (accounts.length > 0) {
    const opened = await openOrMakeKey(parts, settings, { hasAccounts: known.size > 0 });
    if (opened === undefined) {
      identities.problem = WRONG_MASTER_KEY;
      return logger.error(WRONG_MASTER_KEY);
    }
    commands.push(...opened.commands, ...changes(parts, accounts, { known, dataKey: opened.dataKey }));
  }
  for (const account of accounts) identities.add(account);
  if (commands.length > 0) await write(parts, commands);
}

async function readAccounts(index: StateIndex): Promise<ReadonlyMap<string, AccountRow>> {
  const found = new Map<string, AccountRow>();
  const iterator = await index.iterate(ranges.accounts);
  try {
    for (;;) {
      const page = await iterator.next(PAGE);
      if (page.length === 0) return found;
      for (const [key, value] of page)
        found.set(key.slice(ranges.accounts.from.length), rows.account.decode(Uint8Array.from(value)));
    }
  } finally {
    await iterator.close();
  }
}

type OpenedKey = { readonly dataKey: Uint8Array; readonly commands: readonly Command[] };

/** `undefined`: there is one, and the master key that was given does not open it. */
async function openOrMakeKey(
  { index, random, logger }: Parts,
  settings: AccountSettings,
  state: { readonly hasAccounts: boolean },
): Promise<OpenedKey | undefined> {
  const { masterKey: given, rootSecretKey } = settings;
  const masterKey = given ?? rootSecretKey;
  const row = index.get(keys.meta("dataKey"));
  const sealed: SealedKey | undefined = row === undefined ? undefined : rows.dataKey.decode(row);
  const dataKey = sealed === undefined ? undefined : await openDataKey(masterKey, sealed);
  if (dataKey !== undefined) return { dataKey, commands: [] };
  const isLost = sealed !== undefined && state.hasAccounts;
  // Whoever gives a master key for the first time had the one that follows from the root secret.
  const isNew = isLost && given !== undefined && (await openDataKey(rootSecretKey, sealed)) !== undefined;
  if (isLost && given !== undefined && !isNew) return undefined;
  if (isLost) logger.warn("the master key is another one: the accounts' secrets are sealed anew");
  const made = await makeDataKey(masterKey, random);
  return { dataKey: made.dataKey, commands: [{ kind: "putDataKey", ...made.sealed }] };
}

/** What of the accounts is not in the state as the settings say it. */
function changes(
  { random }: Parts,
  accounts: readonly Account[],
  state: { readonly known: ReadonlyMap<string, AccountRow>; readonly dataKey: Uint8Array },
): readonly Command[] {
  const { known, dataKey } = state;
  return accounts.flatMap(({ id: accountId, displayName, accessKey, secretKey }): Command[] => {
    const row = known.get(accountId);
    const owner = { accountId, accessKey };
    const isSame = row?.displayName === displayName && row.accessKey === accessKey;
    if (isSame && openSecret(dataKey, owner, row.sealedSecret) === secretKey) return [];
    const sealedSecret = sealSecret(dataKey, owner, secretKey, random);
    return [{ kind: "putAccount", accountId, displayName, accessKey, sealedSecret }];
  });
}

async function write({ log, clock, logger }: Parts, commands: readonly Command[]): Promise<void> {
  const written = (async (): Promise<void> => {
    try {
      for (let at = 0; at < commands.length; at += COMMANDS_PER_ENTRY) {
        await log.proposeTogether(commands.slice(at, at + COMMANDS_PER_ENTRY));
      }
      logger.info("the accounts are in the state", { changes: commands.length });
    } catch (error) {
      // They serve all the same: the settings have them, and the next start tries again.
      logger.error("the accounts could not be written to the state", { reason: String(error) });
    }
  })();
  const enough = new AbortController();
  await Promise.race([written, clock.sleep(WRITE_MS_MAX, { signal: enough.signal })]);
  enough.abort();
}
