/** The Random port on the system's generator. */
import { randomBytes } from "node:crypto";
import type { Random } from "../ports/random.ts";

export const systemRandom: Random = { bytes: (count) => randomBytes(count) };
