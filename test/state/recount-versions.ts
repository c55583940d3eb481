/**
 * What must be true of the versions of a bucket: each key's list is linked both ways in order of the births
 * and begins in `history/`, one version at most is without an id and `history/` knows where, and older
 * versions stand behind a current one.
 */
import { keys } from "../../src/state/keys.ts";
import { decodeObject } from "../../src/state/object-row.ts";
import type { ObjectFootprint } from "../../src/state/object-row.ts";
import { birthText, invertedBirth } from "../../src/state/version-id.ts";
import type { Birth } from "../../src/state/version-id.ts";
import { decodeHistory, decodeMarker, decodeVersion } from "../../src/state/version-row.ts";
import type { VersionRow } from "../../src/state/version-row.ts";

type Rows = ReadonlyMap<string, Uint8Array>;
type Facts = Birth & { readonly hasVersionId: boolean };
type Linked = { readonly row: VersionRow; readonly facts: Facts; readonly place: string };

export type VersionCount = {
  readonly problems: readonly string[];
  /** Rows that something leads to. */
  readonly known: readonly string[];
  /** Noncurrent objects. */
  readonly objects: readonly ObjectFootprint[];
  readonly count: number;
  readonly bytes: number;
};

const textOf = (birth: Birth | undefined): string => (birth === undefined ? "none" : birthText(birth));

class Versions {
  readonly problems: string[] = [];
  readonly known: string[] = [];
  readonly objects: ObjectFootprint[] = [];
  readonly #all: Rows;
  readonly #id: number;
  readonly #older = new Map<string, Linked[]>();
  count = 0;

  constructor(all: Rows, id: number) {
    this.#all = all;
    this.#id = id;
  }

  #under(prefix: string): readonly (readonly [string, Uint8Array])[] {
    const found = [...this.#all].filter(([key]) => key.startsWith(prefix));
    found.sort(([a], [b]) => (a < b ? -1 : 1));
    return found.map(([key, row]) => [key.slice(prefix.length), row] as const);
  }

  check(): void {
    for (const [place, bytes] of this.#under(keys.versionPrefix(this.#id))) this.#take(place, bytes);
    const current = new Map<string, Facts>();
    for (const [key, row] of this.#under(keys.objectPrefix(this.#id))) current.set(key, decodeObject(row));
    for (const [key, row] of this.#under(keys.markerPrefix(this.#id))) {
      this.count++;
      if (current.has(key)) this.problems.push(`${key} has an object and a marker`);
      else this.known.push(keys.marker(this.#id, key));
      current.set(key, decodeMarker(row));
    }
    for (const [key, list] of this.#older) this.#checkList(key, list, current.get(key));
  }

  #take(place: string, bytes: Uint8Array): void {
    const row = decodeVersion(bytes);
    const { version } = row;
    this.count++;
    let facts: Facts;
    if (version.kind === "marker") facts = version.marker;
    else {
      const object = decodeObject(version.row);
      this.objects.push(object);
      facts = object;
    }
    const at = place.indexOf("\0");
    const key = place.slice(0, at);
    this.#older.set(key, [...(this.#older.get(key) ?? []), { row, facts, place: place.slice(at + 1) }]);
  }

  #checkList(key: string, list: readonly Linked[], current: Facts | undefined): void {
    const expect = (what: string, actual: string, wanted: string): void => {
      if (actual !== wanted) this.problems.push(`${what} of ${key} is ${actual}, should be ${wanted}`);
    };
    const nulls = list.filter(({ facts }) => !facts.hasVersionId);
    if (current === undefined) this.problems.push(`${key} has versions, but no current one`);
    const isNull = current?.hasVersionId === false;
    if (nulls.length + (isNull ? 1 : 0) > 1) this.problems.push(`${key} has ${nulls.length} null versions`);
    for (const [at, { row, facts, place }] of list.entries()) {
      expect("place", place, invertedBirth(facts));
      expect(`older of ${textOf(facts)}`, textOf(row.older), textOf(list[at + 1]?.facts));
      expect(`newer of ${textOf(facts)}`, textOf(row.newer), textOf(list[at - 1]?.facts));
      this.known.push(keys.version(this.#id, key, facts));
    }
    const history = this.#all.get(keys.history(this.#id, key));
    if (history === undefined) return void this.problems.push(`${key} has versions without a history`);
    this.known.push(keys.history(this.#id, key));
    const { newest, nullVersion } = decodeHistory(history);
    expect("newest version", textOf(newest), textOf(list[0]?.facts));
    expect("null version", textOf(nullVersion), textOf(nulls[0]?.facts));
    if (current !== undefined && invertedBirth(current) >= invertedBirth(newest)) {
      this.problems.push(`the current version of ${key} is not the newest`);
    }
  }
}

export function recountVersions(all: Rows, bucketId: number): VersionCount {
  const versions = new Versions(all, bucketId);
  versions.check();
  const { problems, known, objects, count } = versions;
  return { problems, known, objects, count, bytes: objects.reduce((sum, { size }) => sum + size, 0) };
}
