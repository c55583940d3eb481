/**
 * What was asked of the cold tier, and of this server by its clients, over all its starts: counters in memory
 * on top of what the file `usage` says. The file is written once a minute if anything was counted, and at the
 * end; a crash loses a minute of figures and nothing else. A file that cannot be read is begun anew: figures
 * are no reason not to start.
 *
 *   two slots (slot-file.ts); payload: u8 version, f64 since when, for each kind and for the clients seven
 *   f64: puts, gets, heads, lists, deletes, bytes in, bytes out
 */
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { SlotFile } from "../store/slot-file.ts";
import type { ColdMeter } from "./cold-meter.ts";
import { NO_USAGE, USAGE_KINDS, added } from "./cost.ts";
import type { Usage, UsageByKind, UsageKind } from "./cost.ts";

const VERSION = 1;
const SAVE_MS = 60_000;
const FIELDS = ["puts", "gets", "heads", "lists", "deletes", "bytesIn", "bytesOut"] as const;
const ROWS = [...USAGE_KINDS, "clients"] as const;
const PAYLOAD_BYTES = 1 + 8 * (1 + ROWS.length * FIELDS.length);

export type CostTotals = {
  /** By the wall clock. */
  readonly sinceMs: number;
  readonly cold: UsageByKind;
  readonly clients: Usage;
};

type LedgerOptions = {
  readonly disk: Disk;
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: ColdMeter;
};

export class CostLedger {
  readonly #options: LedgerOptions;
  readonly #file: SlotFile;
  /** Of all starts before this one. */
  readonly #before: CostTotals;
  readonly #closing = new AbortController();
  readonly #saving: Promise<void>;
  #written: Buffer | undefined;
  #isFailing = false;
  #readClients: () => Usage = () => NO_USAGE;

  private constructor(file: SlotFile, before: CostTotals, options: LedgerOptions) {
    this.#file = file;
    this.#before = before;
    this.#options = options;
    this.#written = file.payload;
    this.#saving = this.#saveNowAndThen();
  }

  static async open(options: LedgerOptions): Promise<CostLedger> {
    const { disk, path, clock, logger } = options;
    const file = await SlotFile.open(disk, path);
    const known = file.payload === undefined ? undefined : decode(file.payload);
    if (known === undefined && file.state !== "fresh") {
      logger.warn("what the cold tier was asked so far cannot be read; it is counted from now on", { path });
    }
    return new CostLedger(file, known ?? nothingSince(clock.nowMs()), options);
  }

  /** Counts of this start. */
  watchClients(read: () => Usage): void {
    this.#readClients = read;
  }

  get totals(): CostTotals {
    const { sinceMs, cold, clients } = this.#before;
    const { usage } = this.#options.meter;
    return {
      sinceMs,
      cold: byKind((kind) => added(cold[kind], usage[kind])),
      clients: added(clients, this.#readClients()),
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#saving;
    await this.#file.close();
  }

  async #saveNowAndThen(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#options.clock.sleep(SAVE_MS, { signal });
      await this.#save();
    }
  }

  /** After a failure nothing is known of the file; the other slot still has what was there before. */
  async #save(): Promise<void> {
    const payload = encode(this.totals);
    if (this.#isFailing || this.#written?.equals(payload) === true) return;
    try {
      await this.#file.writeNext(payload);
      this.#written = payload;
    } catch (error) {
      this.#isFailing = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.logger.warn("figures of the cold tier are not kept any more", { reason });
    }
  }
}

function byKind(usageOf: (kind: UsageKind) => Usage): UsageByKind {
  const entries = USAGE_KINDS.map((kind) => [kind, usageOf(kind)]);
  return Object.fromEntries(entries) as UsageByKind;
}

function nothingSince(sinceMs: number): CostTotals {
  return { sinceMs, cold: byKind(() => NO_USAGE), clients: NO_USAGE };
}

function encode({ sinceMs, cold, clients }: CostTotals): Buffer {
  const bytes = Buffer.alloc(PAYLOAD_BYTES);
  bytes.writeUInt8(VERSION, 0);
  let at = bytes.writeDoubleLE(sinceMs, 1);
  for (const row of ROWS) {
    const usage = row === "clients" ? clients : cold[row];
    for (const field of FIELDS) at = bytes.writeDoubleLE(usage[field], at);
  }
  return bytes;
}

/** `undefined` for what another release wrote. */
function decode(bytes: Buffer): CostTotals | undefined {
  if (bytes.length !== PAYLOAD_BYTES || bytes.readUInt8(0) !== VERSION) return undefined;
  const rowOf = (row: (typeof ROWS)[number]): Usage => {
    const at = 1 + 8 * (1 + ROWS.indexOf(row) * FIELDS.length);
    const values = FIELDS.map((field, place) => [field, bytes.readDoubleLE(at + 8 * place)] as const);
    return { ...NO_USAGE, ...Object.fromEntries(values) };
  };
  return { sinceMs: bytes.readDoubleLE(1), cold: byKind(rowOf), clients: rowOf("clients") };
}
