import { defineConfig } from "vitest/config";

/**
 * `unit` needs nothing; `cluster` starts real programs, one file at a time (two cores, and timing matters); `chart` needs
 * Helm as well, and does what an operator does.
 */
export default defineConfig({
  test: {
    reporters: ["default", ["json", { outputFile: "out/test-results.json" }]],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/server/**/*.test.ts"],
          // Properties take seconds of CPU, on two cores that run as many files: nobody waits for a clock here.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts", "test/browser/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "chart",
          include: ["test/chart/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
