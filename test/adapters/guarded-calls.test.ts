/** Slots, attempts, pauses and the circuit, in virtual time. */
import { expect, test } from "vitest";
import { GuardedCalls, defaultGuard } from "../../src/adapters/guarded-calls.ts";
import type { GuardedCall, Verdict } from "../../src/adapters/guarded-calls.ts";
import { ColdUnavailableError } from "../../src/ports/cold-store.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimRandom } from "../sim/sim-random.ts";

type Settings = Partial<typeof defaultGuard & { readonly concurrencyMax: number }>;

function guardOf(clock: SimClock, settings: Settings = {}): GuardedCalls {
  const all = { ...defaultGuard, concurrencyMax: 2, ...settings };
  return new GuardedCalls({ place: "test", clock, random: new SimRandom("guard"), settings: all });
}

const judge = (error: unknown): Verdict => ({
  error: error as Error,
  mayHelpToRepeat: (error as Error).message !== "final",
  place: (error as Error).message === "final" ? "alive" : "failed",
});
const call: GuardedCall = { timeoutMs: 60_000, judge };
const fail = (message: string) => () => Promise.reject(new Error(message));

/** The error, or the result. */
async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return await work.catch((error: unknown) => error);
}

test("attempts are repeated after growing pauses, each up to its bound and none for ever", async () => {
  const clock = new SimClock();
  const guard = guardOf(clock, { failuresMax: 1000 });
  const pauses: number[][] = [[], [], []];
  for (let round = 0; round < 50; round++) {
    const times: number[] = [];
    const work = guard.run(() => {
      times.push(clock.monotonicMs());
      return Promise.reject(new Error("down"));
    }, call);
    expect(await clock.run(outcomeOf(work))).toMatchObject({ message: "down" });
    expect(times.length).toBe(4);
    for (let at = 0; at < 3; at++) pauses[at]?.push((times[at + 1] ?? 0) - (times[at] ?? 0));
  }
  for (const [at, bound] of [200, 400, 800].entries()) {
    expect(Math.max(...(pauses[at] ?? []))).toBeLessThanOrEqual(bound);
    expect(Math.max(...(pauses[at] ?? []))).toBeGreaterThan(bound * 0.7);
    expect(Math.min(...(pauses[at] ?? []))).toBeLessThan(bound * 0.3);
  }
});

test("what cannot help is not repeated", async () => {
  const clock = new SimClock();
  let attempts = 0;
  const work = guardOf(clock).run(() => {
    attempts++;
    return fail("final")();
  }, call);
  expect(await clock.run(outcomeOf(work))).toMatchObject({ message: "final" });
  expect(attempts).toBe(1);
});

test("a pause holds no slot, and no more run at a time than there are", async () => {
  const clock = new SimClock();
  const guard = guardOf(clock, { concurrencyMax: 1, failuresMax: 1000 });
  const failing = guard.run(fail("down"), call);
  await Promise.resolve();
  let running = 0;
  const others = Array.from({ length: 20 }, () =>
    guard.run(async () => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      return "done";
    }, call),
  );
  // No time passes: whoever held the slot while pausing would make this wait for ever.
  expect(await Promise.all(others)).toEqual(Array.from({ length: 20 }, () => "done"));
  await clock.run(outcomeOf(failing));
});

test("the queue before the slots has an end", async () => {
  const clock = new SimClock();
  const guard = guardOf(clock, { concurrencyMax: 1, waitingMax: 2 });
  const gate = Promise.withResolvers<string>();
  const waiting = Array.from({ length: 3 }, () => guard.run(() => gate.promise, call));
  const turnedAway = await outcomeOf(guard.run(() => Promise.resolve("in"), call));
  expect(turnedAway).toBeInstanceOf(ColdUnavailableError);
  gate.resolve("through");
  expect(await Promise.all(waiting)).toEqual(["through", "through", "through"]);
  expect(await guard.run(() => Promise.resolve("in"), call)).toBe("in");
});

test("the circuit opens after failures in a row, for one probe, and for longer if that fails", async () => {
  const clock = new SimClock();
  const guard = guardOf(clock, { attemptsMax: 1, failuresMax: 3, openMsMin: 1000, openMsMax: 3000 });
  let asked = 0;
  let answer: () => Promise<string> = fail("down");
  const ask = (): Promise<unknown> => {
    const work = guard.run(() => {
      asked++;
      return answer();
    }, call);
    return outcomeOf(work);
  };
  const retryAfter = async (): Promise<number> => ((await ask()) as ColdUnavailableError).retryAfterMs;
  await ask();
  await ask();
  answer = () => Promise.resolve("up");
  expect(await ask()).toBe("up");
  answer = fail("down");
  for (let time = 0; time < 3; time++) expect(await ask()).toMatchObject({ message: "down" });
  expect([asked, await retryAfter(), asked]).toEqual([6, 1000, 6]);
  for (const openMs of [2000, 3000, 3000]) {
    await clock.advance(openMs);
    expect(await ask()).toMatchObject({ message: "down" });
    const open = await retryAfter();
    expect(open).toBeLessThanOrEqual(3000);
    expect(open).toBeGreaterThanOrEqual(2000);
  }
  await clock.advance(3000);
  const gate = Promise.withResolvers<string>();
  answer = () => gate.promise;
  const probe = ask();
  await clock.advance(0);
  const before = asked;
  expect(await ask()).toBeInstanceOf(ColdUnavailableError);
  expect(asked).toBe(before);
  gate.resolve("up");
  expect(await probe).toBe("up");
  answer = () => Promise.resolve("up");
  expect(await ask()).toBe("up");
});

test("a probe whose caller gives up decides nothing, and blocks nobody", async () => {
  const clock = new SimClock();
  const guard = guardOf(clock, { attemptsMax: 1, failuresMax: 1, openMsMin: 1000 });
  await outcomeOf(guard.run(fail("down"), call));
  await clock.advance(1000);
  const ended = new AbortController();
  const stuck = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  const probe = outcomeOf(guard.run(stuck, { ...call, signal: ended.signal }));
  await clock.advance(0);
  ended.abort(new Error("unwanted"));
  expect(await probe).toMatchObject({ message: "unwanted" });
  expect(await guard.run(() => Promise.resolve("up"), call)).toBe("up");
});

test("closing ends attempts and pauses, with an error of its own", async () => {
  const clock = new SimClock();
  const guard = guardOf(clock);
  const pausing = outcomeOf(guard.run(fail("down"), call));
  await clock.advance(0);
  await guard.close();
  expect(await pausing).toBeInstanceOf(ColdUnavailableError);
  expect(await outcomeOf(guard.run(() => Promise.resolve("x"), call))).toBeInstanceOf(ColdUnavailableError);
});
