/**
 * Compares the bucket with the state and with the manifests that are kept: what is missing, what is not what
 * it was, what nobody names, what is not ours; says what can be done about each, and does it if that is
 * wanted. Lists may lag, and the state goes on meanwhile: what looks wrong is looked at once more by itself.
 */
import { finishInSteps } from "../base/steps.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import { decodeTail } from "../segment/tail-format.ts";
import { AuditMender } from "./audit-mender.ts";
import type { MenderParts, Trouble } from "./audit-mender.ts";
import { reportOf } from "./audit-report.ts";
import type { AuditFinding, AuditReport } from "./audit-report.ts";
import { BucketSurvey } from "./bucket-survey.ts";
import type { Survey } from "./bucket-survey.ts";
import { manifestAt } from "./bucket-contents.ts";
import { isSameLineage, parseColdKey } from "./cold-names.ts";
import { planGarbage } from "./garbage-plan.ts";
import type { GarbagePlan, GarbageSettings } from "./garbage-plan.ts";
import { notesPrefix } from "./heir-notes.ts";
import type { ColdObject } from "./manifest.ts";
import { lastOf } from "./tier-node.ts";
import { adoptedBy, readCondemned } from "./tier-rows.ts";
import { verifyCopy } from "./verify-copy.ts";

export type AuditParts = MenderParts & { readonly settings: GarbageSettings };
export type AuditTerms = { readonly deep: boolean; readonly repair: boolean };
export type AuditCall = {
  readonly signal: AbortSignal;
  /** One line for people, now and then. */
  readonly onProgress: (line: string) => void;
};

/** What somebody names, and who. */
type Expected = ColdObject & { readonly segmentId: number | undefined };

type Scene = {
  readonly survey: Survey;
  readonly listed: ReadonlyMap<string, number>;
  readonly plan: GarbagePlan;
  readonly expected: readonly Expected[];
};

const OBJECTS_PER_LINE = 100;
const NOTHING: Uint8Array = new Uint8Array(0);

export function audit(parts: AuditParts, terms: AuditTerms, call: AuditCall): Promise<AuditReport> {
  return new Audit(parts, call).run(terms);
}

class Audit {
  readonly #parts: AuditParts;
  readonly #call: AuditCall;
  #readBytes = 0;

  constructor(parts: AuditParts, call: AuditCall) {
    this.#parts = parts;
    this.#call = call;
  }

  async run({ deep, repair }: AuditTerms): Promise<AuditReport> {
    const { store } = this.#parts;
    const { onProgress, signal } = this.#call;
    const scene = await this.#look();
    onProgress(`${scene.survey.listing.length} objects are there, ${scene.expected.length} are named`);
    const troubles = [...this.#unreadManifests(scene.survey), ...(await this.#missing(scene))];
    if (deep) troubles.push(...(await this.#corrupt(scene, new Set(troubles.map(({ key }) => key)))));
    const mender = new AuditMender(this.#parts, signal);
    const judged = await mender.judge(troubles);
    const findings = repair ? await mender.mend(judged, onProgress) : judged;
    const orphans = this.#orphans(scene.plan, repair);
    if (repair && orphans.length > 0) await this.#parts.collector.collect(signal);
    let bytes = 0;
    for (const size of scene.listed.values()) bytes += size;
    return reportOf({
      place: store.place,
      isDeep: deep,
      objects: scene.listed.size,
      bytes,
      readBytes: this.#readBytes,
      findings: [...findings, ...this.#unknown(scene.survey), ...orphans],
      lost: await mender.lostObjects(findings),
      blockedBy: scene.plan.blockedBy,
    });
  }

  async #look(): Promise<Scene> {
    const { node, store, clock, index, settings, inFlight } = this.#parts;
    const { place } = node;
    const adopted = await adoptedBy(index, place.lineage);
    const survey = await new BucketSurvey({ store, cluster: place.cluster, clock }).look(
      [place.lineage, ...adopted],
      this.#call.signal,
    );
    const condemned = await readCondemned(index);
    const segments = node.segments.all.map((segment) => {
      const { id, firstIndex: first, cold } = segment;
      return { id, first, last: lastOf(segment), cold };
    });
    const facts = {
      place,
      adopted,
      bucket: survey,
      segments,
      marks: new Map([...condemned].map(([key, { sinceMs }]) => [key, sinceMs])),
      replaced: new Set<string>(),
      isInFlight: (key: string) => inFlight.has(key),
      logTimeMs: node.logTimeMs(),
    };
    const plan = await finishInSteps(planGarbage(facts, { ...settings, deletionsMax: Infinity }), clock);
    const listed = new Map(survey.listing.map(({ key, bytes }) => [key, bytes]));
    return { survey, listed, plan, expected: this.#expected(survey, plan.retained) };
  }

  /** The state knows better whose copy it is. */
  #expected({ manifests }: Survey, retained: readonly string[]): readonly Expected[] {
    const expected = new Map<string, Expected>();
    for (const name of retained) {
      const reading = manifests.get(name);
      if (reading?.kind !== "manifest") continue;
      const { snapshot, segments } = reading.manifest;
      for (const object of [...(snapshot?.parts ?? []), ...segments.map(({ copy }) => copy)]) {
        if (object !== undefined) expected.set(object.key, { ...object, segmentId: undefined });
      }
    }
    for (const { id, cold } of this.#parts.node.segments.all) {
      if (cold !== undefined) expected.set(cold.key, { ...cold, segmentId: id });
    }
    return [...expected.values()];
  }

  #unreadManifests({ listing, manifests }: Survey): readonly Trouble[] {
    const { place } = this.#parts.node;
    return listing.flatMap(({ key }): readonly Trouble[] => {
      const parsed = parseColdKey(key);
      if (parsed?.name.kind !== "manifest" || parsed.place.lineage !== place.lineage) return [];
      const reading = manifestAt(manifests, { key, bytes: 0 });
      if (reading.kind !== "damaged") return [];
      return [{ kind: "corrupt", key, why: reading.reason, segmentId: undefined }];
    });
  }

  async #missing({ listed, expected }: Scene): Promise<readonly Trouble[]> {
    const troubles: Trouble[] = [];
    for (const { key, bytes, segmentId } of expected) {
      if (listed.get(key) === bytes || !this.#isStillNamed(key, segmentId)) continue;
      const found = (await this.#parts.store.head(key, { signal: this.#call.signal }))?.bytes;
      if (found === bytes) continue;
      const why = found === undefined ? "it is not there" : `it has ${found} bytes, not ${bytes}`;
      troubles.push({ kind: "missing", key, why, segmentId });
    }
    return troubles;
  }

  #isStillNamed(key: string, segmentId: number | undefined): boolean {
    return segmentId === undefined || this.#parts.node.segments.byId(segmentId)?.cold?.key === key;
  }

  /** Reads all of it back. */
  async #corrupt(scene: Scene, known: ReadonlySet<string>): Promise<readonly Trouble[]> {
    const { onProgress, signal } = this.#call;
    const named = scene.expected.filter(({ key }) => !known.has(key));
    const troubles: Trouble[] = [];
    let count = 0;
    for (const object of named) {
      signal.throwIfAborted();
      const why = await this.#wrongWith(object);
      const { key, segmentId } = object;
      if (why !== undefined && this.#isStillNamed(key, segmentId)) {
        troubles.push({ kind: "corrupt", key, why, segmentId });
      }
      if (++count % OBJECTS_PER_LINE === 0) onProgress(`${count} of ${named.length} objects were read back`);
    }
    return [...troubles, ...(await this.#corruptTails(scene))];
  }

  async #wrongWith({ key, bytes, sha256 }: Expected): Promise<string | undefined> {
    const { store, pace, clock } = this.#parts;
    const { signal } = this.#call;
    await pace.spend({ bytes, requests: 1 }, signal);
    try {
      await verifyCopy(store, { key, bytes, sha256, end: NOTHING }, { mode: "full", clock, signal });
      this.#readBytes += bytes;
      return undefined;
    } catch (error) {
      if (error instanceof ColdDamagedError) return error.message;
      throw error;
    }
  }

  /** Those that a restore may need: of the own lineage, and not covered by a segment. */
  async #corruptTails({ survey, plan }: Scene): Promise<readonly Trouble[]> {
    const { node, store, pace } = this.#parts;
    const { signal } = this.#call;
    const spare = new Set(plan.deleteTails);
    const troubles: Trouble[] = [];
    for (const { key, bytes } of survey.listing) {
      const parsed = parseColdKey(key);
      if (parsed?.name.kind !== "tail" || parsed.place.lineage !== node.place.lineage || spare.has(key))
        continue;
      await pace.spend({ bytes, requests: 1 }, signal);
      try {
        const found = await store.get(key, { signal });
        const reading = decodeTail(Buffer.from(found.buffer, found.byteOffset, found.length));
        this.#readBytes += found.length;
        if (reading.kind !== "damaged") continue;
        troubles.push({ kind: "corrupt", key, why: reading.reason, segmentId: parsed.name.segment });
      } catch (error) {
        if (error instanceof ColdMissingError) continue;
        if (!(error instanceof ColdDamagedError)) throw error;
        troubles.push({ kind: "corrupt", key, why: error.message, segmentId: parsed.name.segment });
      }
    }
    return troubles;
  }

  #orphans(
    { mark, waiting, deleteObjects, deleteTails }: GarbagePlan,
    repair: boolean,
  ): readonly AuditFinding[] {
    const common = { kind: "orphaned", segmentId: undefined, repair: "delete", isRepaired: repair } as const;
    return [
      ...mark.map((key) => ({ ...common, key, why: "nobody names it" })),
      ...[...waiting, ...deleteObjects].map((key) => ({ ...common, key, why: "it is condemned" })),
      ...deleteTails.map((key) => ({ ...common, key, why: "a segment holds its entries" })),
    ];
  }

  /** What nothing of ours is called, and manifests of newer releases. */
  #unknown({ listing, manifests }: Survey): readonly AuditFinding[] {
    const { place } = this.#parts.node;
    const common = { kind: "unknown", segmentId: undefined, repair: "none", isRepaired: false } as const;
    return listing.flatMap(({ key }): readonly AuditFinding[] => {
      if (key.startsWith(notesPrefix(place.cluster))) return [];
      if (parseColdKey(key) === undefined) return [{ ...common, key, why: "it is not called like ours" }];
      const reading = manifests.get(key);
      if (reading?.kind !== "unknownVersion" || !isSameLineage(key, `${place.cluster}/${place.lineage}/`))
        return [];
      return [{ ...common, key, why: `a newer release wrote it (version ${reading.version})` }];
    });
  }
}
