/**
 * Every kind of bad input has the answer that AWS gives, and changes nothing: the versions, uploads, parts,
 * settings and bytes of the store are the same before and after.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { badDocuments } from "./bad-surface-documents.ts";
import { badForms } from "./bad-surface-forms.ts";
import { badHeads } from "./bad-surface-heads.ts";
import { BadWorld } from "./bad-surface.ts";

const kinds = [...badDocuments, ...badHeads, ...badForms];
/** So that none is lost by the way. */
const COUNTS = {
  documents: 133,
  types: 37,
  "signatures in a header": 27,
  "signatures in a query": 15,
  "lines that come twice": 11,
  conditions: 82,
  forms: 23,
};

describe("bad input", () => {
  let world: BadWorld;
  beforeAll(async () => {
    world = await BadWorld.open();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.each(kinds.map((kind) => [kind.what, kind.answer, kind] as const))(
    "BadSurface_%s is %s, and nothing changed",
    async (_what, _answer, kind) => {
      const before = await world.picture();
      const { status, code } = await kind.send(world);
      expect(code === undefined ? `${status}` : `${status} ${code}`).toBe(kind.answer);
      expect(await world.picture()).toEqual(before);
    },
  );

  test("BadSurface_keys that look like numbers, booleans or blanks stay what they are", async () => {
    const keys = ["0012", "12", "1e3", "1000", "true", "%20x%20", "x", "null"];
    for (const key of keys) await world.call({ method: "PUT", url: `/plain/${key}`, body: key });
    const doomed = ["0012", "1e3", "true", " x "].map((key) => `<Object><Key>${key}</Key></Object>`);
    const body = `<Delete>${doomed.join("")}</Delete>`;
    expect((await world.call({ method: "POST", url: "/plain?delete", body })).status).toBe(200);
    const { text } = await world.call({ url: "/plain" });
    const left = [...text.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key);
    expect(left).toEqual(["1000", "12", "kept", "null", "x"]);
    for (const key of left) await world.call({ method: "DELETE", url: `/plain/${key}` });
  });

  test("BadSurface_the kinds are counted, and none comes twice", async () => {
    const groups = Map.groupBy(kinds, ({ group }) => group);
    const counts = Object.fromEntries([...groups].map(([group, { length }]) => [group, length]));
    process.stdout.write(`bad input: ${kinds.length} kinds ${JSON.stringify(counts)}\n`);
    expect(counts).toEqual(COUNTS);
    expect(new Set(kinds.map(({ what }) => what)).size).toBe(kinds.length);
  });
});
