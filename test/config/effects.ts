/**
 * For every setting that is used, the case that shows its effect: set it, and something outside the
 * configuration is different. A setting without such a case is a promise nobody keeps.
 *
 * `effects` holds cases that run here. Where the effect is shown by a test of its own elsewhere (it needs a
 * running server and more setup than fits), name that test in `shownElsewhere`: file and test name, which are
 * looked up. `pendingEffects` is what is owed; it should be empty at a release.
 */
import { expect } from "vitest";
import { load } from "./load.ts";
import { serverEffects } from "./server-effects.ts";
import { storeEffects } from "./store-effects.ts";
import { tierEffects } from "./tier-effects.ts";

/** Fails, as a test fails, when the setting has no effect. */
type Effect = () => void | Promise<void>;

interface ShownElsewhere {
  /** From the root of the repository: `test/http/limits.test.ts`. */
  readonly file: string;
  /** As written in that file. */
  readonly test: string;
}

export interface EffectTables {
  readonly effects: Readonly<Record<string, Effect>>;
  readonly shownElsewhere: Readonly<Record<string, ShownElsewhere>>;
  readonly pendingEffects: readonly string[];
}

const effects: Readonly<Record<string, Effect>> = {
  config: () => {
    const files = { "t.yaml": "region: from-file\n" };
    expect(load({ files, argv: ["--config=t.yaml"] }).config.region).toBe("from-file");
    expect(load({ files }).config.region).not.toBe("from-file");
  },
  ...serverEffects,
  ...storeEffects,
  ...tierEffects,
};

const wire = "bucket, prefix, endpoint, keys and pool reach the wire, the secret by its file";

const prices = { file: "test/cli/cost.test.ts", test: "tries out what stands on the command line" };

const shownElsewhere: Readonly<Record<string, ShownElsewhere>> = {
  "cost.thousandWrites": prices,
  "cost.thousandReads": prices,
  "cost.thousandDeletes": prices,
  "cost.gibMonth": prices,
  "cost.gibIn": prices,
  "cost.gibOut": prices,
  "tier.restoreWindow": {
    file: "test/offload/tier-garbage.test.ts",
    test: "restore points go when newer ones are there and the restore window is over",
  },
  "tier.grace": {
    file: "test/offload/tier-garbage.test.ts",
    test: "what nothing needs any more goes at the end of its grace",
  },
  "cold.secretKey": { file: "test/adapters/open-cold-store.test.ts", test: wire },
  "cold.poolSize": { file: "test/adapters/open-cold-store.test.ts", test: wire },
  "tls.certFile": {
    file: "test/scenario/tls.test.ts",
    test: "certificates that change are served to new connections, and open ones go on",
  },
  "tls.keyFile": {
    file: "test/scenario/tls.test.ts",
    test: "the S3 API is served over https, by a bearer token too",
  },
};

const pendingEffects: readonly string[] = [];

export const effectTables: EffectTables = { effects, shownElsewhere, pendingEffects };
