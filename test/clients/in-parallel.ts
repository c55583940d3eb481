/** Clients that take half a second to start are called a few at a time; the first failure is the outcome. */

const AT_A_TIME = 3;

export async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item, at: number) => Promise<void>,
): Promise<void> {
  // One iterator for all: each takes what the others have left.
  const left = items.entries();
  const worker = async (): Promise<void> => {
    for (const [at, item] of left) await work(item, at);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
