/**
 * Rows that are not on the hot path of single objects: MessagePack maps without shared structures (a row can
 * be read without having seen another one first), each with its layout number in `v`. Field order is fixed by
 * the code that builds them, so replicas write equal bytes.
 */
import { Packr } from "msgpackr";
import { FormatError } from "../base/bytes.ts";
import type { Attributes, ChecksumAlgorithm, ChecksumType } from "./attributes.ts";
import type { BodyReference, PartRun } from "./object-row.ts";
import type { TagSet } from "./tags.ts";

const packr = new Packr({ useRecords: false, moreTypes: false, structuredClone: false });

type Versioned = { readonly v: number };

function encode<Row extends object>(row: Row): Buffer {
  return packr.pack({ v: 1, ...row });
}

function decode<Row>(bytes: Uint8Array): Row {
  const row = packr.unpack(bytes) as (Row & Versioned) | undefined;
  if (row?.v !== 1) throw new FormatError(`unknown row layout ${row?.v}`);
  return row;
}

export type BucketRow = {
  readonly id: number;
  readonly owner: string;
  readonly createdMs: number;
  /** The LocationConstraint given at creation; empty for none. */
  readonly location: string;
  /** Absent until versioning was switched on for the first time; from then on there is no way back. */
  readonly versioning?: Versioning;
};
export type Versioning = "Enabled" | "Suspended";
export type BucketCounters = {
  /** Of current objects. */
  readonly objects: number;
  readonly bytes: number;
  /** All noncurrent versions and all delete markers; absent where there never was versioning. */
  readonly versions?: number;
  readonly versionBytes?: number;
};

/** A setting of a bucket: a document that whoever put it has checked. */
export type SettingRow = { readonly document: string };

/** The secret is sealed under the data key, which is sealed under the master key (RULES.md R23). */
export type AccountRow = {
  readonly displayName: string;
  readonly accessKey: string;
  readonly sealedSecret: Uint8Array;
};
export type DataKeyRow = { readonly salt: Uint8Array; readonly sealedKey: Uint8Array };

/** A body while it is written and not yet named by an object or part (RULES.md R6). */
export type StageRow = { readonly incarnation: string; readonly lastTimeMs: number };

/** One chunk record of a body. `bodyStart` counts within the payload, behind the owner. */
export type Extent = {
  readonly index: number;
  /** Start of the record within its segment. */
  readonly recordOffset: number;
  readonly bodyStart: number;
  readonly length: number;
};

/** `refs` counts the objects and parts that share the body; 0 while staged. */
export type BodyRow = {
  readonly refs: number;
  readonly size: number;
  readonly extentCount: number;
  /** The first EXTENTS_PER_ROW extents, packed: index, recordOffset, bodyStart, length, ... */
  readonly extents: readonly number[];
};
export type BodyExtentsRow = { readonly extents: readonly number[] };

export const EXTENTS_PER_ROW = 256;
const EXTENT_FIELDS = 4;

export function packExtent(extent: Extent): readonly number[] {
  return [extent.index, extent.recordOffset, extent.bodyStart, extent.length];
}

export function unpackExtents(packed: readonly number[]): readonly Extent[] {
  const extents: Extent[] = [];
  for (let at = 0; at + EXTENT_FIELDS <= packed.length; at += EXTENT_FIELDS) {
    const [index, recordOffset, bodyStart, length] = packed.slice(at, at + EXTENT_FIELDS);
    extents.push({ index, recordOffset, bodyStart, length } as Extent);
  }
  return extents;
}

export type UploadChecksum = { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType };

export type CompletedUpload = {
  readonly etag: string;
  readonly size: number;
  readonly checksum: string | undefined;
  /** Objects that consist of these parts. */
  readonly refs: number;
  /** Which parts were chosen, in order. */
  readonly runs: readonly PartRun[];
  /** Absent where there never was versioning. */
  readonly versionId?: string;
};

/** Listing row of an open upload. */
export type OpenUploadRow = {
  readonly initiatedMs: number;
  readonly owner: string;
  readonly checksum: UploadChecksum | undefined;
  /** Absent for STANDARD. */
  readonly storageClass?: string;
};

export type UploadRow = {
  readonly bucketId: number;
  readonly key: string;
  readonly owner: string;
  readonly initiatedMs: number;
  readonly attributes: Attributes;
  readonly checksum: UploadChecksum | undefined;
  /** Raised by each part: Complete names the one it was validated against (RULES.md R5). */
  readonly revision: number;
  readonly partCount: number;
  readonly lastTimeMs: number;
  /** Set by Complete: the answer to repeat. */
  readonly completed: CompletedUpload | undefined;
  /** For the object to be; absent if there are none. */
  readonly tags?: TagSet;
  /** How deep the bodies of its parts are nested (shared-body.ts); absent while they are not. */
  readonly nesting?: number;
};

export type PartRow = {
  readonly size: number;
  readonly etag: string;
  readonly modifiedMs: number;
  /** Base64, of the upload's algorithm or of the one the part brought. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
  readonly body: BodyReference;
  /** Log index of the entry that brought the part: where its `record` body is. */
  readonly birthIndex: number;
  /** Of a piece of a list of appends: where in the list it begins. */
  readonly start?: number;
};

/** A list of appends. `refs` counts the bodies that name it. */
export type AppendRow = { readonly refs: number; readonly nesting: number };

/** Work that is left after the last reference went; done in steps (RULES.md R5). */
export type ReapRow = { readonly sinceMs: number };

/** `verbatim`: the bytes of the segment as it was sealed. `packed`: what was live, and where it stood. */
export const COLD_COPY_KINDS = ["verbatim", "packed"] as const;

/** A verified copy of a segment in the cold tier, by its whole key (RULES.md R20). */
export type ColdCopy = {
  readonly kind: (typeof COLD_COPY_KINDS)[number];
  readonly key: string;
  readonly bytes: number;
  /** Of all its bytes, in hex. */
  readonly sha256: string;
};

export type SegmentRow = {
  readonly firstIndex: number;
  /** Bytes so far of the open segment, final for a cut one; without the footer. */
  readonly bytes: number;
  readonly entries: number;
  /** Body bytes that some row still names. */
  readonly liveBytes: number;
  readonly cut: boolean;
  /** Chain value after the last record: two 32-bit halves. */
  readonly chainLow: number;
  readonly chainHigh: number;
  /** How many segments right before this one have no row any more; absent for none. */
  readonly droppedBefore?: number;
  /** Chain value before the first record; absent while the segment before this one has its row. */
  readonly chainBefore?: { readonly low: number; readonly high: number };
  /** Of its last entry: log time, and the time that users see. Absent until it is cut. */
  readonly ended?: { readonly timeMs: number; readonly dateMs: number };
  /** Absent while there is none. */
  readonly cold?: ColdCopy;
};

/** An object of the cold tier that is to be deleted, once its grace is over. */
export type CondemnedRow = {
  /** Log time. */
  readonly sinceMs: number;
  /** Whether a segment row named it before; else it is somebody's leavings. */
  readonly wasNamed: boolean;
};

/** What this state was restored from; there is none where nothing ever was. */
export type LineageRow = {
  readonly lineage: string;
  readonly parent: string;
  readonly cutIndex: number;
  /** Lineages before it whose objects it may clear away, the newest first; absent for none. */
  readonly adopted?: readonly string[];
};

export type CounterRow = { readonly value: number };

/** Dates are log time and the offset, and none is below the floor. */
export type DatesRow = { readonly offsetMs: number; readonly floorMs: number };

function codec<Row extends object>(): {
  readonly encode: (row: Row) => Buffer;
  readonly decode: (bytes: Uint8Array) => Row;
} {
  return { encode: encode<Row>, decode: decode<Row> };
}

export const rows = {
  bucket: codec<BucketRow>(),
  bucketCounters: codec<BucketCounters>(),
  setting: codec<SettingRow>(),
  account: codec<AccountRow>(),
  dataKey: codec<DataKeyRow>(),
  stage: codec<StageRow>(),
  body: codec<BodyRow>(),
  bodyExtents: codec<BodyExtentsRow>(),
  upload: codec<UploadRow>(),
  openUpload: codec<OpenUploadRow>(),
  part: codec<PartRow>(),
  append: codec<AppendRow>(),
  reap: codec<ReapRow>(),
  segment: codec<SegmentRow>(),
  counter: codec<CounterRow>(),
  dates: codec<DatesRow>(),
  condemned: codec<CondemnedRow>(),
  lineage: codec<LineageRow>(),
} as const;
