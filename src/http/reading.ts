/** One figure on the metrics page: its name without the prefix, what it is, and where it is read. */
export type Reading = readonly [name: string, help: string, read: () => number];
