import { defineConfig } from "vitest/config";

/** What needs a docker engine and images; run-docker.ts makes the images and runs it. */
export default defineConfig({
  test: {
    root: new URL("../..", import.meta.url).pathname,
    include: ["test/docker/**/*.test.ts"],
    // Two cores, and each file starts containers.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    // It cleans up by a container whose image is not to be had everywhere; tests remove what they start.
    env: { TESTCONTAINERS_RYUK_DISABLED: "true" },
  },
});
