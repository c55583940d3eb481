/**
 * What is there of S3: operations.json, the one file that says it. README.md has it as a table, and
 * operations.test.ts holds it to the AWS SDK, which knows every operation there is, and to the router.
 */
import { readFileSync } from "node:fs";

export type OperationEntry = {
  readonly name: string;
  readonly status: "done" | "partly" | "not";
  readonly note?: string;
  /** The SDK has no command of this name: a form of another operation, or one of ours. */
  readonly isOutsideSdk?: true;
};

const file = new URL("operations.json", import.meta.url);

export const operations: readonly OperationEntry[] = JSON.parse(readFileSync(file, "utf8")).operations;
