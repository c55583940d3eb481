/**
 * Holds the versions of each key against each other: rows come newest first, each must name its neighbours,
 * the list must begin where `history/` says, and one version at most may be without an id. Reads the rows in
 * order and remembers one key at a time.
 */
import { DamageError } from "../base/errors.ts";
import { decodeFootprint } from "../state/object-row.ts";
import { birthText, invertedBirth, isSameBirth } from "../state/version-id.ts";
import type { Birth } from "../state/version-id.ts";
import { decodeHistory } from "../state/version-row.ts";
import type { HistoryRow, VersionRow } from "../state/version-row.ts";

type Key = {
  /** Bucket id, slash, key. */
  readonly place: string;
  readonly history: HistoryRow;
  last: VersionRow;
  lastBirth: Birth;
  nullVersion: Birth | undefined;
};

export class VersionCheck {
  readonly #need: (rowKey: string) => Uint8Array;
  #key: Key | undefined;
  #keys = 0;
  #histories = 0;

  /** `need` reads a row that must be there. */
  constructor(need: (rowKey: string) => Uint8Array) {
    this.#need = need;
  }

  visitHistory(value: Uint8Array): void {
    decodeHistory(value);
    this.#histories++;
  }

  /** `rest` is what follows `version/`. */
  visitVersion(rest: string, row: VersionRow): void {
    const at = rest.lastIndexOf("\0");
    const place = rest.slice(0, at);
    const facts = row.version.kind === "marker" ? row.version.marker : decodeFootprint(row.version.row);
    const { birthIndex, birthSub } = facts;
    const birth = { birthIndex, birthSub };
    if (rest.slice(at + 1) !== invertedBirth(birth)) throw new DamageError("a version in another's place");
    if (this.#key?.place === place) this.#follow(this.#key, row, birth);
    else this.#begin(place, row, birth);
    if (facts.hasVersionId || this.#key === undefined) return;
    if (this.#key.nullVersion !== undefined) throw new DamageError("a second version without an id");
    this.#key.nullVersion = birth;
  }

  #begin(place: string, row: VersionRow, birth: Birth): void {
    this.finishKey();
    const history = decodeHistory(this.#need(`history/${place}`));
    this.#keys++;
    this.#key = { place, history, last: row, lastBirth: birth, nullVersion: undefined };
    if (row.newer !== undefined || !isSameBirth(history.newest, birth)) {
      throw new DamageError(`the versions do not begin with ${birthText(birth)}`);
    }
  }

  #follow(key: Key, row: VersionRow, birth: Birth): void {
    const { last, lastBirth } = key;
    key.last = row;
    key.lastBirth = birth;
    const isLinked =
      last.older !== undefined &&
      row.newer !== undefined &&
      isSameBirth(last.older, birth) &&
      isSameBirth(row.newer, lastBirth);
    if (!isLinked)
      throw new DamageError(`${birthText(birth)} and ${birthText(lastBirth)} are not neighbours`);
  }

  /** To be called at the end too. */
  finishKey(): void {
    const key = this.#key;
    this.#key = undefined;
    if (key === undefined) return;
    const { place, last, history, nullVersion } = key;
    if (last.older !== undefined) throw new DamageError(`versions of ${JSON.stringify(place)} are missing`);
    const known = history.nullVersion && birthText(history.nullVersion);
    if (known !== (nullVersion && birthText(nullVersion))) {
      throw new DamageError(`the null version of ${JSON.stringify(place)} is not where its history says`);
    }
  }

  /** Keys that have a history and no versions. */
  get strayHistories(): number {
    return this.#histories - this.#keys;
  }
}
