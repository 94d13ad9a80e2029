import { defineConfig } from "vitest/config";

/**
 * `unit` needs nothing; `cluster` starts real programs, one file at a time (there may be two cores); `chart` needs Helm
 * as well, and does what an operator does. No test depends on the machine's speed: each time-out here is a guard
 * against hanging, and targets of time live in bench/ (docs/budgets.md).
 */
export default defineConfig({
  test: {
    // `npm run test:coverage`: what the unit tests reach of the decision core.
    coverage: {
      provider: "v8",
      include: ["src/core/**"],
      reporter: ["text", "html"],
      thresholds: { lines: 95, branches: 85 }, // measured on 2026-11-28: 97.5 and 89.7 %
    },
    reporters: ["default", ["json", { outputFile: "out/test-results.json" }]],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/server/**/*.test.ts"],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          expect: { poll: { timeout: 60_000 } },
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts", "test/browser/**/*.test.ts"],
          globalSetup: "test/support/build-control-plane.ts",
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "chart",
          include: ["test/chart/**/*.test.ts"],
          globalSetup: ["test/support/build-control-plane.ts", "test/support/build-helm.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
