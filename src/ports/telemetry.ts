/** Figures that the core reports as they arise; an adapter makes metrics of them. */
export interface Telemetry {
  /** One write of the log became stable after `seconds`. */
  logWrite(seconds: number, bytes: number): void;
  /** So many commands went into one entry. */
  batchEntries(count: number): void;
}
