/**
 * Promises of the leader's clock alone: log time is time that leaders lived through, whatever wall clocks
 * show; dates are what the wall clock shows, now; and somebody hears of a clock that jumps.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LogFields, Logger } from "../../src/ports/logger.ts";
import { LogClock } from "../../src/replica/log-clock.ts";
import { Dates } from "../../src/state/dates.ts";
import { MapView } from "../state/state-world.ts";
import { silentLogger } from "../support/open-store.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const START_MS = 1_700_000_000_000;

type Write = { readonly timeMs: number; readonly dateMs: number };

/** A machine with two clocks, on which one leader after the other writes. */
class Machine {
  wallMs = START_MS;
  /** Of this boot: starts anywhere. */
  monotonicMs = 17.25;
  /** Time in which somebody led. */
  livedMs = 0;
  datesSet = 0;
  readonly lines: (readonly [message: string, fields: LogFields | undefined])[] = [];
  readonly #view = new MapView();
  #logTimeMs = 0;
  #dates = new Dates(this.#view);
  clock = this.#lead();

  #lead(): LogClock {
    const tell = (message: string, fields?: LogFields): void => void this.lines.push([message, fields]);
    const logger: Logger = { ...silentLogger, info: tell, warn: tell };
    const clock = new LogClock({
      clock: {
        nowMs: () => this.wallMs,
        monotonicMs: () => this.monotonicMs,
        sleep: () => Promise.resolve(),
        yieldToOthers: () => Promise.resolve(),
      },
      logger,
    });
    clock.lead({ logTimeMs: this.#logTimeMs, dates: this.#dates });
    return clock;
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
    this.livedMs += ms;
  }

  /** Another process, perhaps after a boot; what the log does not hold is forgotten. */
  restart(offMs: number): void {
    this.wallMs += offMs;
    this.monotonicMs = offMs % 1000;
    this.#dates = new Dates(this.#view);
    this.clock = this.#lead();
  }

  /** As the replica stamps an entry, and as apply dates what is in it. */
  write(): Write {
    const timeMs = this.clock.nowMs();
    const dateMs = this.clock.dateToSet(timeMs);
    if (dateMs !== undefined) {
      this.datesSet++;
      this.#dates.set(timeMs, dateMs);
    }
    this.#logTimeMs = Math.max(this.#logTimeMs, timeMs);
    return { timeMs, dateMs: this.#dates.at(timeMs) };
  }
}

type Step =
  | { readonly kind: "pass" | "wall" | "restart"; readonly ms: number }
  | { readonly kind: "write"; readonly ms: 0 };

const span = fc.oneof(
  fc.double({ min: 0, max: 2000, noNaN: true }),
  fc.integer({ min: 0, max: 20 * MINUTE }),
  fc.integer({ min: 0, max: 30 * DAY }),
);
const signed = fc.tuple(
  fc.oneof(
    span,
    fc.maxSafeNat().map((ms) => ms % 3e12),
  ),
  fc.constantFrom(1, -1),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("pass" as const), ms: span }),
  fc.record({ kind: fc.constant("wall" as const), ms: signed.map(([ms, sign]) => ms * sign) }),
  fc.record({ kind: fc.constant("restart" as const), ms: span }),
  fc.constant({ kind: "write" as const, ms: 0 as const }),
  fc.constant({ kind: "write" as const, ms: 0 as const }),
);

function play(steps: readonly Step[], onWrite: (machine: Machine, write: Write) => void): void {
  const machine = new Machine();
  for (const { kind, ms } of steps) {
    if (kind === "pass") machine.pass(ms);
    else if (kind === "wall") machine.wallMs += ms;
    else if (kind === "restart") machine.restart(ms);
    else onWrite(machine, machine.write());
  }
}

const histories = fc.array(step, { minLength: 2, maxLength: 60, size: "max" });

describe("whatever the wall clock does, before, during and after starts,", () => {
  test("no age is higher than the time that leaders lived through, and none goes back", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const writes: { readonly timeMs: number; readonly livedMs: number }[] = [];
        play(steps, ({ livedMs }, { timeMs }) => {
          for (const before of writes) {
            expect(timeMs - before.timeMs).toBeGreaterThanOrEqual(0);
            // Both are cut to whole milliseconds.
            expect(timeMs - before.timeMs).toBeLessThan(livedMs - before.livedMs + 1.001);
          }
          writes.push({ timeMs, livedMs });
        });
      }),
      { numRuns: 500 },
    );
  });

  test("one leader's ages are exact, and a start loses what nothing was written after, no more", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        let first: { readonly timeMs: number; readonly livedMs: number } | undefined;
        const machine = new Machine();
        let lostMs = 0;
        let writtenMs = 0;
        for (const { kind, ms } of steps) {
          if (kind === "pass") machine.pass(ms);
          else if (kind === "wall") machine.wallMs += ms;
          else if (kind === "restart") {
            lostMs += machine.livedMs - writtenMs;
            writtenMs = machine.livedMs;
            machine.restart(ms);
          } else {
            const { timeMs } = machine.write();
            writtenMs = machine.livedMs;
            if (first === undefined) lostMs = 0;
            first ??= { timeMs, livedMs: machine.livedMs };
            const age = timeMs - first.timeMs;
            expect(age).toBeGreaterThan(machine.livedMs - first.livedMs - lostMs - steps.length);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a date is what the clock shows, or held for ten minutes at most", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        let before: { readonly dateMs: number; readonly livedMs: number } | undefined;
        play(steps, ({ wallMs, livedMs }, { dateMs }) => {
          const shownMs = Math.max(0, Math.floor(wallMs));
          expect(dateMs).toBeGreaterThan(shownMs - 100);
          expect(dateMs).toBeLessThan(shownMs + 10 * MINUTE + 100);
          if (before !== undefined && dateMs < before.dateMs) {
            expect(before.dateMs + livedMs - before.livedMs - shownMs).toBeGreaterThan(10 * MINUTE - 2);
          }
          before = { dateMs, livedMs };
        });
      }),
      { numRuns: 500 },
    );
  });
});

describe("dates", () => {
  test("of an empty store are log time itself", () => {
    const machine = new Machine();
    expect(machine.write()).toEqual({ timeMs: START_MS, dateMs: START_MS });
    expect(machine.datesSet).toBe(0);
  });

  test("cost no entry while both clocks keep pace", () => {
    const machine = new Machine();
    for (let at = 0; at < 1000; at++) {
      machine.pass(777.7);
      machine.wallMs += at % 2 === 0 ? 49 : -49;
      machine.write();
    }
    expect(machine.datesSet).toBe(0);
  });

  test("follow a clock that drifts", () => {
    const machine = new Machine();
    for (let at = 0; at < 1000; at++) {
      machine.pass(1000);
      machine.wallMs += 5;
      expect(Math.abs(machine.write().dateMs - machine.wallMs)).toBeLessThan(100);
    }
    expect(machine.datesSet).toBe(50);
  });

  test("stand still under a clock that is put back a little, and go on when it has caught up", () => {
    const machine = new Machine();
    machine.pass(1000);
    machine.wallMs -= 5000;
    const held = machine.write().dateMs;
    expect(held).toBe(START_MS + 1000);
    machine.pass(4000);
    expect(machine.write().dateMs).toBe(held);
    machine.pass(2000);
    expect(machine.write().dateMs).toBe(START_MS + 2000);
  });

  test("are right after a sleep of the machine, which is nobody's age", () => {
    const machine = new Machine();
    const before = machine.write();
    machine.wallMs += 8 * DAY;
    machine.pass(5);
    const after = machine.write();
    expect(after.dateMs - before.dateMs).toBe(8 * DAY + 5);
    expect(after.timeMs - before.timeMs).toBe(5);
  });
});

describe("what is told", () => {
  test("a jump once, and the way back once; the skew all the time", () => {
    const machine = new Machine();
    machine.pass(3000);
    machine.wallMs += 8 * DAY;
    for (let look = 0; look < 5; look++) {
      machine.pass(1000);
      machine.clock.look();
      expect(machine.clock.skewMs).toBe(8 * DAY);
    }
    machine.wallMs -= 8 * DAY;
    machine.clock.look();
    machine.clock.look();
    expect(machine.lines.map(([message, fields]) => [message.slice(0, 21), fields])).toEqual([
      ["the wall clock jumped", { byMs: 8 * DAY, skewMs: 8 * DAY }],
      ["the wall clock jumped", { byMs: -8 * DAY, skewMs: 0 }],
    ]);
  });

  test("nothing of a clock that is put right by minutes", () => {
    const machine = new Machine();
    for (const ms of [9 * MINUTE, -9 * MINUTE, -10 * MINUTE]) {
      machine.wallMs += ms;
      machine.clock.look();
    }
    expect(machine.clock.skewMs).toBe(-10 * MINUTE);
    expect(machine.lines).toEqual([]);
  });

  test("a start with a clock far behind or far ahead of the last write, and no other", () => {
    const machine = new Machine();
    machine.pass(MINUTE);
    machine.write();
    machine.restart(9 * MINUTE);
    machine.restart(-19 * MINUTE);
    expect(machine.lines).toEqual([]);
    machine.restart(-MINUTE);
    machine.restart(30 * DAY);
    expect(machine.lines).toEqual([
      ["the wall clock is behind the last write: it was wrong then or is now", { aheadMs: -11 * MINUTE }],
      ["the last write is long ago, or the wall clock is wrong", { aheadMs: 30 * DAY - 11 * MINUTE }],
    ]);
  });
});
