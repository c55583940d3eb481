/**
 * Promises of the semaphore: never more at once than it counts, first come first served, failures free a
 * place.
 */
import { expect, test } from "vitest";
import { Semaphore } from "../../src/base/semaphore.ts";

type Job = { readonly done: Promise<number>; finish: (error?: Error) => void };

/** Jobs that note when they start and end when they are told to. */
function jobsOn(semaphore: Semaphore): {
  readonly started: number[];
  readonly add: (name: number) => Job;
} {
  const started: number[] = [];
  const add = (name: number): Job => {
    const gate = Promise.withResolvers<number>();
    const done = semaphore.run(() => {
      started.push(name);
      return gate.promise;
    });
    done.catch(() => undefined);
    return { done, finish: (error) => (error === undefined ? gate.resolve(name) : gate.reject(error)) };
  };
  return { started, add };
}

test("no more run at once than it counts, and those that wait run in the order they came", async () => {
  const { started, add } = jobsOn(new Semaphore(2));
  const jobs = [0, 1, 2, 3].map(add);
  expect(started).toEqual([0, 1]);
  jobs[1]?.finish();
  await jobs[1]?.done;
  await Promise.resolve();
  expect(started).toEqual([0, 1, 2]);
  for (const job of jobs) job.finish();
  expect(await Promise.all(jobs.map(({ done }) => done))).toEqual([0, 1, 2, 3]);
  expect(started).toEqual([0, 1, 2, 3]);
});

test("a failing job gives its place back and passes its error on", async () => {
  const { started, add } = jobsOn(new Semaphore(1));
  const failing = add(0);
  const next = add(1);
  failing.finish(new Error("broken"));
  await expect(failing.done).rejects.toThrow("broken");
  next.finish();
  expect(await next.done).toBe(1);
  expect(started).toEqual([0, 1]);
});

test("work that throws at once gives its place back", async () => {
  const semaphore = new Semaphore(1);
  const boom = semaphore.run(() => {
    throw new Error("at once");
  });
  await expect(boom).rejects.toThrow("at once");
  expect(await semaphore.run(() => Promise.resolve("free"))).toBe("free");
});

test("places are not lost or made by a long run of mixed jobs", async () => {
  const semaphore = new Semaphore(3);
  let running = 0;
  let most = 0;
  const job = async (at: number): Promise<void> => {
    most = Math.max(most, ++running);
    for (let wait = at % 4; wait > 0; wait--) await Promise.resolve();
    running--;
    if (at % 5 === 0) throw new Error("some fail");
  };
  const all = Array.from({ length: 100 }, (_, at) => semaphore.run(() => job(at)));
  const ends = await Promise.allSettled(all);
  expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(20);
  expect({ most, running }).toEqual({ most: 3, running: 0 });
});
