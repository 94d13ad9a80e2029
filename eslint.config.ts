// Lint: typescript-eslint's strict rules and the house rules of CONTRIBUTING.md. Import rules are in
// dependency-cruiser.config.mjs.
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  { ignores: ["node_modules/", "coverage/", "dist/", "out/", "docs/.vitepress/", "dependency-cruiser.config.mjs"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true } }],
      // Code is prettier's affair; strings stay whole.
      "max-len": ["error", { code: 1_000, comments: 120, ignoreUrls: true }],
      complexity: ["error", 16],
      "max-depth": ["error", 4],
      "max-lines-per-function": ["error", { max: 70, skipComments: true, skipBlankLines: true }],
    },
  },
  // Run as they are, in a browser or by any Node: no types to check by.
  { files: ["src/server/page/*.js", "bin/*.js"], extends: [tseslint.configs.disableTypeChecked] },
  { files: ["test/**", "bench/**", "dev/**"], rules: { "max-lines-per-function": "off" } },
  {
    files: ["*.config.ts"],
    rules: { "no-restricted-exports": "off" },
  },
  {
    files: ["src/{api,policy,core}/**/*.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "time is an argument" },
        { object: "Math", property: "random", message: "chance is an argument" },
      ],
    },
  },
);
