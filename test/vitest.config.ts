import { defineConfig } from "vitest/config";

/**
 * Everything that needs nothing but Node. Client scenarios and counts at full size run from test/ci and
 * test/long, and what needs a docker engine from test/docker.
 */
export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts"],
    exclude: ["test/docker/**"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: "forks",
  },
});
