/** Clients that take half a second to start are called a few at a time; the first failure is the outcome. */

const AT_A_TIME = 3;

export async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item, at: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) await work(items[at] as Item, at);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
