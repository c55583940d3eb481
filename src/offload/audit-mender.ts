/**
 * What can be done about objects that are missing or damaged in the cold tier, and doing it. In this order:
 * the file on this disk is put again; what is live and intact in the bucket is put anew; what only manifests
 * name is left to a new manifest. What is left is lost, and the objects in it are told by name.
 */
import { DamageError } from "../base/errors.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { NamedBytes } from "../state/named-bytes.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import { LivePieces } from "../store/live-pieces.ts";
import type { FoundPieces } from "../store/live-pieces.ts";
import { isSoundPiece, piecesInOrder } from "../store/pack-segment.ts";
import type { AuditFinding, AuditRepair, LostObjects } from "./audit-report.ts";
import { parseColdKey } from "./cold-names.ts";
import { coldPieces } from "./cold-pieces.ts";
import type { Collector } from "./collector.ts";
import type { CopyPackerParts } from "./copy-packer.ts";
import { findLostObjects } from "./lost-objects.ts";
import type { Packer } from "./packer.ts";
import type { SegmentUploader } from "./segment-uploader.ts";
import type { TierRows } from "./tier-rows.ts";

export type MenderParts = CopyPackerParts & {
  readonly index: TierRows;
  readonly uploader: Pick<SegmentUploader, "upload">;
  readonly packer: Pick<Packer, "packAgain" | "mayPack">;
  readonly collector: Pick<Collector, "collect">;
  readonly writeManifest: (signal: AbortSignal) => Promise<unknown>;
};

export type Trouble = Pick<AuditFinding, "key" | "why" | "segmentId"> & {
  readonly kind: "missing" | "corrupt";
};

const PAGE_ROWS = 500;
const LOST_NAMES_MAX = 1000;

export class AuditMender {
  readonly #parts: MenderParts;
  readonly #signal: AbortSignal;
  /** By the segment: places of live bytes that are damaged, or "all". Of those that are not on this disk. */
  readonly #damage = new Map<number, ReadonlySet<string> | "all">();

  constructor(parts: MenderParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  async judge(troubles: readonly Trouble[]): Promise<readonly AuditFinding[]> {
    await this.#findDamage(troubles);
    const findings: AuditFinding[] = [];
    for (const trouble of troubles) {
      const repair = await this.#repairOf(trouble);
      findings.push({ ...trouble, repair, isRepaired: repair === "forget" });
    }
    return findings;
  }

  async #repairOf({ key, segmentId }: Trouble): Promise<AuditRepair> {
    const { node } = this.#parts;
    if (segmentId === undefined) return "newManifest";
    const segment = node.segments.byId(segmentId);
    // The segment as a whole takes the place of its tails.
    if (isTail(key)) return segment === undefined || segment.cold !== undefined ? "forget" : "upload";
    if (segment === undefined || segment.liveBytes === 0) return "forget";
    const local = await node.local.withFile(segmentId, ({ kind }) => Promise.resolve(kind));
    // A verbatim one under the name that was given up: somebody may be deleting just that.
    if (local !== undefined)
      return local === "verbatim" && segment.cold?.kind === "packed" ? "pack" : "upload";
    const damage = this.#damage.get(segmentId);
    if (damage === "all" || (damage?.size ?? 0) > 0) return "lost";
    return this.#mayPack(segment) ? "pack" : "newManifest";
  }

  #mayPack(segment: SegmentEntry): boolean {
    return segment.cold?.kind === "packed" || this.#parts.packer.mayPack(segment);
  }

  /** Of copies without a file on this disk: what of it is live and cannot be read. */
  async #findDamage(troubles: readonly Trouble[]): Promise<void> {
    const { node } = this.#parts;
    const corrupt: number[] = [];
    for (const { kind, key, segmentId } of troubles) {
      if (segmentId === undefined || isTail(key) || node.local.bytesOf(segmentId) > 0) continue;
      this.#damage.set(segmentId, "all");
      if (kind === "corrupt") corrupt.push(segmentId);
    }
    if (corrupt.length === 0) return;
    for (const found of await this.#gather(corrupt)) {
      if (node.segments.byId(found.id)?.liveBytes !== found.liveBytes) continue;
      this.#damage.set(found.id, await this.#damagedPlaces(found));
    }
  }

  async #gather(ids: readonly number[]): Promise<readonly FoundPieces[]> {
    const { node, index, clock } = this.#parts;
    const live = new LivePieces(node.segments, ids);
    const iterator = await index.iterate({ from: "", to: "~" });
    try {
      for (;;) {
        const page = await iterator.next(PAGE_ROWS);
        if (page.length === 0) return [...live.found()];
        for (const [key, value] of page) live.visit(key, value);
        await clock.yieldToOthers();
        this.#signal.throwIfAborted();
      }
    } finally {
      await iterator.close();
    }
  }

  async #damagedPlaces({ id, pieces }: FoundPieces): Promise<ReadonlySet<string> | "all"> {
    const { node, store, pace } = this.#parts;
    const copy = node.segments.byId(id)?.cold;
    if (copy === undefined) return "all";
    const places = new Set<string>();
    try {
      const source = { store, pace, copy, signal: this.#signal };
      for await (const { piece, bytes } of coldPieces(source, piecesInOrder(pieces))) {
        if (!isSoundPiece(bytes, piece.named)) places.add(placeOf(piece.named));
      }
      return places;
    } catch (error) {
      if (error instanceof ColdDamagedError || error instanceof ColdMissingError) return "all";
      throw error;
    }
  }

  /** Each is tried; what could not be mended says so. */
  async mend(
    findings: readonly AuditFinding[],
    onProgress: (line: string) => void,
  ): Promise<readonly AuditFinding[]> {
    const idsOf = (repair: AuditRepair): readonly number[] =>
      findings.flatMap((one) =>
        one.repair === repair && one.segmentId !== undefined ? [one.segmentId] : [],
      );
    const uploaded = new Set<number>();
    for (const id of idsOf("upload")) if (await this.#upload(id)) uploaded.add(id);
    const packing = [...idsOf("pack"), ...idsOf("upload").filter((id) => !uploaded.has(id))];
    const packed = packing.length > 0 ? await this.#parts.packer.packAgain(packing, this.#signal) : new Set();
    onProgress(`${uploaded.size} segments were uploaded again, ${packed.size} packed anew`);
    const wantsManifest = findings.some(({ repair }) => repair === "newManifest");
    if (wantsManifest) await this.#parts.writeManifest(this.#signal);
    return findings.map((finding) => {
      const { segmentId = 0, repair, isRepaired } = finding;
      if (repair === "newManifest") return { ...finding, isRepaired: true };
      if (repair !== "upload" && repair !== "pack") return { ...finding, isRepaired };
      const isMended = uploaded.has(segmentId) || packed.has(segmentId);
      return { ...finding, repair: isMended ? repair : "lost", isRepaired: isMended };
    });
  }

  async #upload(id: number): Promise<boolean> {
    const { node, uploader, logger } = this.#parts;
    if (node.segments.byId(id)?.cut === false) await node.local.seal();
    try {
      const { kind } = await uploader.upload(id, { signal: this.#signal, isAgain: true });
      return kind === "uploaded";
    } catch (error) {
      if (!(error instanceof DamageError || error instanceof ColdDamagedError)) throw error;
      logger.error("a segment cannot be uploaded again", { segment: id, reason: error.message });
      return false;
    }
  }

  async lostObjects(findings: readonly AuditFinding[]): Promise<LostObjects> {
    const ids = findings.flatMap(({ repair, segmentId }) =>
      repair === "lost" && segmentId !== undefined ? [segmentId] : [],
    );
    if (ids.length === 0) return { segmentIds: [], count: 0, first: [] };
    const lost = new Set(ids);
    const { node, index, clock } = this.#parts;
    const isLost = (named: NamedBytes): boolean => {
      const id = node.segments.find(named.index)?.id;
      if (id === undefined || !lost.has(id)) return false;
      const damage = this.#damage.get(id) ?? "all";
      return damage === "all" || damage.has(placeOf(named));
    };
    const search = { index, clock, isLost, firstMax: LOST_NAMES_MAX, signal: this.#signal };
    return { segmentIds: ids, ...(await findLostObjects(search)) };
  }
}

function isTail(key: string): boolean {
  return parseColdKey(key)?.name.kind === "tail";
}

function placeOf(named: NamedBytes): string {
  const offset = named.kind === "body" ? named.offset : named.extent.recordOffset;
  return `${named.index}/${offset}`;
}
