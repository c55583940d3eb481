/**
 * Work that is too long to be done in one go: a generator that yields wherever others may run in between. The
 * work stays pure and synchronous; whoever drives it decides whether anybody waits.
 */
export type Steps<Result> = Generator<void, Result, void>;

export function finishAtOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Others run between any two steps. */
export async function finishInSteps<Result>(
  steps: Steps<Result>,
  others: { yieldToOthers(): Promise<void> },
): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await others.yieldToOthers();
  }
}
