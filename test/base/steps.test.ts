/** Long work lets others run between its steps, and its result is the same. */
import { expect, test } from "vitest";
import { finishAtOnce, finishInSteps } from "../../src/base/steps.ts";
import type { Steps } from "../../src/base/steps.ts";

function* counting(to: number, seen: string[]): Steps<number> {
  for (let at = 0; at < to; at++) {
    if (at > 0) yield;
    seen.push(String(at));
  }
  return to;
}

test("others run between any two steps, and not after the last", async () => {
  const seen: string[] = [];
  const others = {
    yieldToOthers: (): Promise<void> => {
      seen.push("others");
      return Promise.resolve();
    },
  };
  expect(await finishInSteps(counting(3, seen), others)).toBe(3);
  expect(seen).toEqual(["0", "others", "1", "others", "2"]);
});

test("at once there is nobody between", () => {
  const seen: string[] = [];
  expect(finishAtOnce(counting(3, seen))).toBe(3);
  expect(seen).toEqual(["0", "1", "2"]);
});

test("an error ends the work where it is", async () => {
  function* failing(): Steps<never> {
    yield;
    throw new Error("no further");
  }
  await expect(finishInSteps(failing(), { yieldToOthers: () => Promise.resolve() })).rejects.toThrow(
    "no further",
  );
});
