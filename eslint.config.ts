// Lint: typescript-eslint's strict rules, house rules of CONTRIBUTING.md, and the arrows between the folders of src/.
import { type Config, defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

/** Which folders of src/ a folder may import from; a folder may always import from itself. The picture is in docs/design.md. */
const arrows: Record<string, readonly string[]> = {
  api: [],
  policy: ["api"],
  core: ["api", "policy"],
  cluster: ["api", "core"],
  telemetry: ["api", "policy", "core"],
  admission: ["api", "policy", "core"],
  extender: ["api", "policy", "core"],
  release: ["api", "policy", "core", "cluster"],
  server: ["api", "policy", "core", "cluster", "telemetry", "admission", "extender", "release"],
  simulate: ["api", "policy", "core", "cluster"],
  diagnose: ["api", "policy", "cluster"],
  cli: [
    "api",
    "policy",
    "core",
    "cluster",
    "telemetry",
    "admission",
    "extender",
    "release",
    "server",
    "simulate",
    "diagnose",
  ],
};

const folders = Object.keys(arrows);

/** The lint block that keeps one folder of src/ to its arrows. */
function arrowRule(folder: string): Config {
  const forbidden = folders.filter((other) => other !== folder && !arrows[folder]?.includes(other));
  const patterns = [
    { group: ["**/test/**", "**/dev/**", "**/bench/**"], message: "src/ never imports test, dev or bench code" },
    ...(forbidden.length > 0
      ? [
          {
            group: forbidden.map((other) => `../${other}/**`),
            message: `src/${folder} must not import this (docs/design.md)`,
          },
        ]
      : []),
    ...(folder === "core"
      ? [{ group: ["node:*", "undici", "fastify", "pino", "@kubernetes/*"], message: "the core is pure: no I/O" }]
      : []),
  ];
  const severity = "error" as const;
  return { files: [`src/${folder}/**/*.ts`], rules: { "no-restricted-imports": [severity, { patterns }] } };
}

export default defineConfig(
  { ignores: ["node_modules/", "coverage/", "out/"] },
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
      complexity: ["error", 16],
      "max-depth": ["error", 4],
      "max-lines-per-function": ["error", { max: 70, skipComments: true, skipBlankLines: true }],
    },
  },
  // Runs in a browser, as it is: no types to check by.
  { files: ["src/server/page/*.js"], extends: [tseslint.configs.disableTypeChecked] },
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
  ...folders.map(arrowRule),
);
