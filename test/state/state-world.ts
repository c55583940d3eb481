/**
 * The state machine over plain maps, with the real layout of the log beneath: entries are encoded into
 * segments of a few KiB and applied as the proposer applies them; `replayed` applies the same bytes once
 * more from scratch.
 */
import { logIndex, term } from "../../src/base/units.ts";
import { pendingEntry, encodeEntry } from "../../src/replica/entry.ts";
import type { PendingEntry } from "../../src/replica/entry.ts";
import { CHAIN_START, RECORD_HEADER_BYTES, RecordType, readRecordHeader } from "../../src/segment/record.ts";
import { decodeChunk, decodeCommands } from "../../src/state/command-codec.ts";
import type { Chunk, Command, CommandResult } from "../../src/state/command.ts";
import type { EntryPosition } from "../../src/state/segment-table.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { encodeObject } from "../../src/state/object-row.ts";
import type { StoredObject } from "../../src/state/stored-object.ts";
import type { StateView } from "../../src/state/view.ts";
import { LogBatch } from "../../src/store/log-batch.ts";
import { OpenSegment } from "../../src/store/open-segment.ts";

export class MapView implements StateView {
  readonly rows = new Map<string, Uint8Array>();

  get(key: string): Uint8Array | undefined {
    return this.rows.get(key);
  }

  put(key: string, value: Uint8Array): void {
    this.rows.set(key, Buffer.from(value));
  }

  delete(key: string): void {
    this.rows.delete(key);
  }

  object(prefix: string, key: string): Uint8Array | undefined {
    return this.rows.get(prefix + key);
  }

  putObject(prefix: string, key: string, object: StoredObject): void {
    this.put(prefix + key, encodeObject(object));
  }

  deleteObject(prefix: string, key: string): void {
    this.delete(prefix + key);
  }
}

type LoggedEntry = { readonly type: RecordType; readonly payload: Buffer; readonly position: EntryPosition };

const proposalOf = (commands: readonly Command[], chunk: Chunk | undefined) => ({
  commands,
  chunk,
  bytes: 0,
  group: false,
  followsBodies: false,
  seals: false,
  resolve: () => undefined,
  reject: () => undefined,
});

export class StateWorld {
  readonly view = new MapView();
  /** What a cache would know of each path: the etag, by effects alone. */
  readonly cached = new Map<string, string>();
  readonly log: LoggedEntry[] = [];
  readonly machine: StateMachine;
  readonly #segmentBytesMax: number;
  #segment = new OpenSegment({ id: 1, firstIndex: 1, chain: CHAIN_START });

  constructor(options: { readonly segmentBytesMax: number } = { segmentBytesMax: 4096 }) {
    this.#segmentBytesMax = options.segmentBytesMax;
    this.machine = new StateMachine(this.view, {
      objectWritten: (path, object) => void this.cached.set(path, object.etag),
      objectRemoved: (path) => void this.cached.delete(path),
    });
  }

  #append(type: RecordType, entry: PendingEntry | undefined): LoggedEntry {
    if (this.#segment.cut) {
      const { id, lastIndex, chain } = this.#segment;
      this.#segment = new OpenSegment({ id: id + 1, firstIndex: lastIndex + 1, chain });
    }
    const batch = new LogBatch();
    const index = logIndex(this.log.length + 1);
    const encode =
      entry && ((writer: LogBatch["writer"], start: number) => encodeEntry(writer, entry, start));
    const position = batch.add(this.#segment, { type, index, term: term(1) }, encode, this.#segmentBytesMax);
    const start = position.recordOffset - (batch.pieces[0]?.fileOffset ?? 0);
    const record = batch.writer.take().subarray(start);
    const { payloadBytes } = readRecordHeader(record, 0) ?? { payloadBytes: 0 };
    const payload = record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + payloadBytes);
    const logged = { type, payload, position };
    this.log.push(logged);
    return logged;
  }

  apply(commands: readonly Command[], timeMs = 1): readonly CommandResult[] {
    const entry = pendingEntry([proposalOf(commands, undefined)], timeMs);
    const { position } = this.#append(RecordType.commands, entry);
    return this.machine.applyCommands(entry, position);
  }

  applyChunk(chunk: Chunk, timeMs = 1): CommandResult {
    const entry = pendingEntry([proposalOf([], chunk)], timeMs);
    const { position } = this.#append(RecordType.chunk, entry);
    return this.machine.applyChunk({ timeMs, chunk, bodyOffset: entry.bodyOffset }, position);
  }

  applyBlank(type: typeof RecordType.noop | typeof RecordType.seal): void {
    this.machine.applyBlank(this.#append(type, undefined).position);
  }

  /** Another replica: the same log from its bytes. */
  replayed(): StateWorld {
    const other = new StateWorld({ segmentBytesMax: this.#segmentBytesMax });
    for (const { type, payload, position } of this.log) {
      if (type === RecordType.commands) other.machine.applyCommands(decodeCommands(payload), position);
      else if (type === RecordType.chunk) other.machine.applyChunk(decodeChunk(payload), position);
      else other.machine.applyBlank(position);
    }
    return other;
  }

  /** Rows as hex, for comparing worlds. */
  dump(): Readonly<Record<string, string>> {
    const rows = [...this.view.rows].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(rows.map(([key, row]) => [key, Buffer.from(row).toString("hex")]));
  }
}
