/**
 * What users see of time. Log time counts what leaders lived through and nothing else, so ages are measured
 * in it; dates are log time and an offset, which the leader sets by an entry whenever its wall clock says so.
 * A clock that was wrong leaves wrong dates on what was written meanwhile, and on nothing else.
 *
 * A clock that is put back by minutes holds the date where it is until it is that late again. One that is put
 * back further was wrong: dates go back with it, because holding them would make wrong ones for days.
 */
import { keys } from "./keys.ts";
import { rows } from "./rows.ts";
import type { StateView } from "./view.ts";

/** Part of what apply means: another value is another version of the state machine. */
const HELD_MS_MAX = 600_000;

type DatesView = Pick<StateView, "get" | "put">;

export class Dates {
  readonly #view: DatesView;
  #offsetMs = 0;
  /** No date is below it. */
  #floorMs = 0;

  constructor(view: DatesView) {
    this.#view = view;
    const bytes = view.get(keys.meta("dates"));
    if (bytes === undefined) return;
    const { offsetMs, floorMs } = rows.dates.decode(bytes);
    this.#offsetMs = offsetMs;
    this.#floorMs = floorMs;
  }

  /** Dates beyond log time; may be negative. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** The date of what is applied at this log time. */
  at(timeMs: number): number {
    return Math.max(this.#floorMs, timeMs + this.#offsetMs);
  }

  /** From this log time on it is `dateMs`. */
  set(timeMs: number, dateMs: number): void {
    const shownMs = this.at(timeMs);
    const isHeld = dateMs < shownMs && shownMs - dateMs <= HELD_MS_MAX;
    this.#offsetMs = dateMs - timeMs;
    this.#floorMs = isHeld ? shownMs : 0;
    const row = { offsetMs: this.#offsetMs, floorMs: this.#floorMs };
    this.#view.put(keys.meta("dates"), rows.dates.encode(row));
  }
}
