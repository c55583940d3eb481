/**
 * What a read-only start (`--salvage`) found: which bytes are damaged, which state is served, and which
 * entries are not in it. As facts for programs, and as lines for whoever has to decide what to do next.
 */

/** A place in the log that cannot be read as it was written. */
export type LogDamage = {
  readonly path: string;
  /** Where it begins; 0 if the file as a whole is meant. */
  readonly offset: number;
  /** From there to the end of the file. */
  readonly bytes: number;
  /** The first entry of which nothing is certain any more. */
  readonly firstIndex: number;
  /** The last one of the file, where something else still tells it. */
  readonly lastIndex: number | undefined;
  readonly reason: string;
};

/** Entries whose effects are not in the state that is served. */
export type LostEntries = {
  readonly firstIndex: number;
  /** As far as mark, later files and index tell; `undefined` if none of them does. */
  readonly lastIndex: number | undefined;
  /** Bytes of the log from the first of them on. */
  readonly bytes: number;
};

export type SalvageReport = {
  readonly directory: string;
  /** The state that is served is the one after this entry. */
  readonly appliedIndex: number;
  /** Whether the index could be believed, or the state was made from the log alone. */
  readonly source: "index" | "log";
  readonly damages: readonly LogDamage[];
  readonly lost: LostEntries | undefined;
  /** What else was found, in sentences. */
  readonly notes: readonly string[];
};

export const READ_ONLY = "read-only: started with --salvage";

export function reportLines(report: SalvageReport): readonly string[] {
  const { directory, damages, notes, lost } = report;
  return [
    `READ-ONLY: started with --salvage. Nothing is written into ${directory}; writes are answered 503.`,
    ...damages.map((damage) => `DAMAGED ${damageLine(damage)}`),
    ...notes.map((note) => `NOTE ${note}`),
    `SERVED the state after entry ${report.appliedIndex}, ${sourceText(report.source)}`,
    lost === undefined ? "LOST no entry: all that was acknowledged is listed" : `LOST ${lostLine(lost)}`,
    "An object with damaged bytes answers an error; inside sealed segments damage shows only then.",
  ];
}

function damageLine({ path, offset, bytes, firstIndex, lastIndex, reason }: LogDamage): string {
  const last = lastIndex === undefined ? "" : ` to ${lastIndex}`;
  if (offset === 0) return `${path}: ${reason}; it has entries ${firstIndex}${last || " and on"}`;
  return `${path}: entry ${firstIndex} at offset ${offset}: ${reason}; ${bytes} bytes to the end of the file`;
}

function sourceText(source: SalvageReport["source"]): string {
  return source === "index" ? "as the index and the log after it have it" : "made from the log alone";
}

function lostLine({ firstIndex, lastIndex, bytes }: LostEntries): string {
  const range =
    lastIndex === undefined
      ? `entry ${firstIndex} and what followed it (how many, nothing tells)`
      : `entries ${firstIndex} to ${lastIndex} (${lastIndex - firstIndex + 1})`;
  return `${range}: what they wrote, replaced or deleted is not in what is served; ${bytes} bytes of log`;
}
