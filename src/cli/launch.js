#!/usr/bin/env -S node --external-memory-accounted-in-global-limit --initial-old-space-size=64
/**
 * What `npx thermocline` starts. A checkout has TypeScript and no build, which Node runs as it is; the package
 * has JavaScript only, because Node refuses TypeScript below node_modules. The flags are explained in
 * thermocline.ts.
 */
import { existsSync } from "node:fs";

const inCheckout = new URL("./thermocline.ts", import.meta.url);
const inPackage = new URL("../../.dist/cli/thermocline.js", import.meta.url);
await import((existsSync(inCheckout) ? inCheckout : inPackage).href);
