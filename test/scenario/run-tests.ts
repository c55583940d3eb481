/** All tests that need nothing but Node; ends with `N passed, N failed`. */
import { countTests } from "./count-tests.ts";

const { passed, failed } = countTests("test/vitest.config.ts");
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
