/**
 * Follows the log through a bucket: from one entry on, through sealed segments and tails, for as long as one
 * continues the other. It uses nothing whose chain value is known to be another one, prefers a sealed segment
 * to tails of it, and where two tails do not agree it ends, since nobody can tell which of them is right
 * (RULES.md R22). What lies behind its end is told, because that is a gap and not the end of the log.
 */
import { sameChain } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import type { EntryRange } from "./cold-names.ts";

/** What is wrong in the bucket, by the key that is wrong. */
export type Problem =
  | { readonly kind: "missing"; readonly key: string }
  | { readonly kind: "wrongSize"; readonly key: string; readonly bytes: number; readonly expected: number }
  | { readonly kind: "damaged"; readonly key: string; readonly reason: string }
  | { readonly kind: "unknownVersion"; readonly key: string; readonly version: number }
  /** A segment that no object and no tails hold. */
  | ({ readonly kind: "nowhere"; readonly segment: number } & EntryRange)
  /** Entries that no object holds, although `behind` says that the log went on. */
  | ({ readonly kind: "gap"; readonly behind: string } & EntryRange)
  /** From entry `index` on these two are different histories. */
  | { readonly kind: "disagreement"; readonly index: number; readonly keys: readonly [string, string] };

/** A sealed segment, verbatim. Chain values are absent until somebody has read them. */
export type SegmentSource = EntryRange & {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string | undefined;
  readonly chainBefore: ChainValue | undefined;
  readonly chainAfter: ChainValue | undefined;
};

/** A tail that was read and is sound. */
export type TailSource = EntryRange & {
  readonly key: string;
  readonly bytes: number;
  /** Before entry `index`, from the first one to the one behind the last. */
  readonly chainBefore: (index: number) => ChainValue;
};

export type ChainSources = {
  /** By their first entry. */
  readonly segments: ReadonlyMap<number, SegmentSource>;
  readonly tails: readonly TailSource[];
  /** What somebody wrote down about the chain, with the key of where: before these entries. */
  readonly known: ReadonlyMap<number, { readonly chain: ChainValue; readonly key: string }>;
  /** Objects that hold entries and cannot be used. */
  readonly unusable: readonly (EntryRange & { readonly key: string })[];
};

export type ChainLink = EntryRange &
  (
    | { readonly kind: "segment"; readonly source: SegmentSource }
    | { readonly kind: "tail"; readonly source: TailSource }
  );

export type Chain = {
  readonly links: readonly ChainLink[];
  /** The last entry that was reached. */
  readonly reached: number;
  /** Behind it, if it is known. */
  readonly chain: ChainValue | undefined;
  readonly problem: Problem | undefined;
};

type Place = { readonly index: number; readonly chain: ChainValue | undefined; readonly key: string };
type Step =
  | { readonly kind: "link"; readonly link: ChainLink; readonly chain: ChainValue | undefined }
  | {
      readonly kind: "end";
      readonly problem: Problem | undefined;
      readonly link?: ChainLink;
      readonly chain?: ChainValue;
    };

/** From entry `first` to entry `last` at most. */
export function followChain(sources: ChainSources, { first, last }: EntryRange): Chain {
  const start = sources.known.get(first);
  let place: Place = { index: first, chain: start?.chain, key: start?.key ?? "" };
  const links: ChainLink[] = [];
  while (place.index <= last) {
    const step: Step = contradiction(sources, place) ?? segmentAt(sources, place) ?? tailAt(sources, place);
    const link = step.link && { ...step.link, last: Math.min(step.link.last, last) };
    if (link !== undefined) {
      links.push(link);
      // Within a sealed segment the chain is only known to whoever reads it.
      const isWhole = link.kind === "tail" || link.last === link.source.last;
      const chain = link.kind === "tail" ? link.source.chainBefore(link.last + 1) : step.chain;
      place = { index: link.last + 1, chain: isWhole ? chain : undefined, key: link.source.key };
    }
    if (step.kind === "end")
      return { links, reached: place.index - 1, chain: place.chain, problem: step.problem };
  }
  const problem = contradiction(sources, place)?.problem;
  return { links, reached: place.index - 1, chain: place.chain, problem };
}

/** What leads here is not what somebody said that leads here. */
function contradiction(
  { known }: ChainSources,
  { index, chain, key }: Place,
): (Step & { readonly kind: "end" }) | undefined {
  const said = known.get(index);
  if (said === undefined || chain === undefined || sameChain(said.chain, chain)) return undefined;
  return { kind: "end", problem: { kind: "disagreement", index: index - 1, keys: [key, said.key] } };
}

function segmentAt({ segments }: ChainSources, place: Place): Step | undefined {
  const source = segments.get(place.index);
  if (source === undefined) return undefined;
  const { first, last, chainBefore, chainAfter, key } = source;
  if (chainBefore !== undefined && place.chain !== undefined && !sameChain(chainBefore, place.chain)) {
    return { kind: "end", problem: { kind: "disagreement", index: first, keys: [place.key, key] } };
  }
  return { kind: "link", link: { kind: "segment", source, first, last }, chain: chainAfter };
}

/** The tail that goes furthest, up to where another one that shares entries with it says something else. */
function tailAt(sources: ChainSources, place: Place): Step {
  const { index, chain } = place;
  const holding = sources.tails.filter(({ first, last }) => first <= index && index <= last);
  const [source] = holding.toSorted((a, b) => b.last - a.last || (a.key < b.key ? -1 : 1));
  if (source === undefined) return { kind: "end", problem: gapAt(sources, index) };
  const other = holding.find((tail) => chain !== undefined && !sameChain(tail.chainBefore(index), chain));
  if (other !== undefined) {
    return { kind: "end", problem: { kind: "disagreement", index: index - 1, keys: [place.key, other.key] } };
  }
  const doubt = firstDoubt(sources, source, index);
  const end = (doubt?.index ?? source.last + 1) - 1;
  const link: ChainLink = { kind: "tail", source, first: index, last: end };
  if (doubt === undefined) return { kind: "link", link, chain: undefined };
  return end < index ? { kind: "end", problem: doubt } : { kind: "end", problem: doubt, link };
}

/** The first entry from `from` on about which this tail and something else do not agree. */
function firstDoubt(
  { tails, known }: ChainSources,
  source: TailSource,
  from: number,
): (Problem & { readonly kind: "disagreement" }) | undefined {
  let found: (Problem & { readonly kind: "disagreement" }) | undefined;
  const doubt = (index: number, key: string): void => {
    if (found === undefined || index < found.index) {
      found = { kind: "disagreement", index, keys: [source.key, key] };
    }
  };
  for (const other of tails) {
    const index = other === source ? undefined : firstDifference(source, other, from);
    if (index !== undefined) doubt(index, other.key);
  }
  for (const [index, { chain, key }] of known) {
    const isWithin = index > from && index <= source.last + 1;
    if (isWithin && !sameChain(source.chainBefore(index), chain)) doubt(index - 1, key);
  }
  return found;
}

function firstDifference(one: TailSource, other: TailSource, from: number): number | undefined {
  const first = Math.max(one.first, other.first, from);
  const last = Math.min(one.last, other.last);
  if (first > last) return undefined;
  const differs = (index: number): boolean => !sameChain(one.chainBefore(index), other.chainBefore(index));
  // A chain value stands for all that is before it: what is equal there is equal everywhere.
  if (!differs(last + 1)) return undefined;
  let index = first;
  while (!differs(index + 1)) index++;
  return index;
}

/** The log went on if anything holds an entry from here on; the nearest of them says how much is missing. */
function gapAt({ segments, tails, unusable }: ChainSources, index: number): Problem | undefined {
  const behind = [...segments.values(), ...tails, ...unusable].filter(({ last }) => last >= index);
  const [nearest] = behind.toSorted((a, b) => a.first - b.first || (a.key < b.key ? -1 : 1));
  if (nearest === undefined) return undefined;
  const last = nearest.first > index ? nearest.first - 1 : nearest.last;
  return { kind: "gap", first: index, last, behind: nearest.key };
}
