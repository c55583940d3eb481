/**
 * A note in the bucket that somebody goes on from a lineage after a restore: it is there before the first
 * object of the new one, and costs one request to look for. Who finds one below its own name uploads and
 * deletes nothing any more (RULES.md R20): the new lineage names its objects, and only that one knows which.
 *
 *   <cluster>/lineages/<parent>/<cut index>-<lineage>
 *
 * It is no object of either lineage, and nobody deletes it but a person.
 */
import type { ColdCall, ColdStore } from "../ports/cold-store.ts";
import { coldPrefix, isNamePart } from "./cold-names.ts";
import type { ColdPlace } from "./cold-names.ts";

export type Heir = { readonly key: string; readonly lineage: string; readonly cutIndex: number };

const NAME = /^([0-9]{16})-(.+)$/;

/** What all notes of a cluster begin with. */
export function notesPrefix(cluster: string): string {
  return `${coldPrefix({ cluster })}lineages/`;
}

/** What a listing of the notes about a lineage begins with. */
export function heirPrefix({ cluster, lineage }: ColdPlace): string {
  return `${notesPrefix(cluster)}${lineage}/`;
}

export function heirKey(parent: ColdPlace, heir: Omit<Heir, "key">): string {
  return `${heirPrefix(parent)}${String(heir.cutIndex).padStart(16, "0")}-${heir.lineage}`;
}

/** `undefined` for every key that is no note about this lineage. */
export function parseHeir(parent: ColdPlace, key: string): Heir | undefined {
  const prefix = heirPrefix(parent);
  if (!key.startsWith(prefix)) return undefined;
  const [, cutIndex, lineage = ""] = NAME.exec(key.slice(prefix.length)) ?? [];
  return isNamePart(lineage) ? { key, lineage, cutIndex: Number(cutIndex) } : undefined;
}

/** Who goes on from this lineage; one request unless there are very many. */
export async function findHeirs(
  store: ColdStore,
  place: ColdPlace,
  call: ColdCall = {},
): Promise<readonly Heir[]> {
  const heirs: Heir[] = [];
  for await (const { key } of store.list(heirPrefix(place), call)) {
    const heir = parseHeir(place, key);
    if (heir !== undefined) heirs.push(heir);
  }
  return heirs;
}

export async function noteHeir(
  store: ColdStore,
  parent: ColdPlace,
  heir: Omit<Heir, "key">,
  call: ColdCall = {},
): Promise<void> {
  const text =
    `lineage ${heir.lineage} was restored from lineage ${parent.lineage} and goes on behind entry ` +
    `${heir.cutIndex}; whoever still writes as ${parent.lineage} stops when it sees this\n`;
  await store.put(heirKey(parent, heir), Buffer.from(text), { kind: "manifest", ...call });
}
