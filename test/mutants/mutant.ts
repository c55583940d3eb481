/** One planted bug: where it stands, and who must notice it. */

export type Mutant = {
  readonly name: string;
  /** What the bug would do to somebody. */
  readonly what: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Test files, of which at least one must fail. */
  readonly killedBy: readonly string[];
};
