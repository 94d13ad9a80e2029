// Which folder may import which, and that no files import each other in a circle. The picture is in docs/design.md.

/** Which folders of src/ a folder may import from; a folder may always import from itself. */
export const arrows = {
  api: [],
  policy: ["api"],
  core: ["api", "policy"],
  kube: ["api", "policy", "core"],
  certificates: ["api", "kube"],
  telemetry: ["api", "policy", "core"],
  webhooks: ["api", "policy", "core"],
  extender: ["api", "policy", "core"],
  release: ["api", "policy", "core", "kube"],
  server: ["api", "policy", "core", "kube", "telemetry", "webhooks", "extender", "release"],
  status: ["api", "policy", "core", "kube", "server"],
  service: ["api", "policy", "core", "kube", "certificates", "telemetry", "webhooks", "extender", "release", "server"],
  simulate: ["api", "policy", "core", "kube", "release"],
  diagnose: ["api", "policy", "kube"],
  recording: ["api", "policy", "core", "kube", "diagnose", "simulate"],
  replay: ["api", "policy", "core", "kube", "diagnose", "simulate", "recording"],
  prewarm: ["api", "policy", "core", "kube", "simulate", "recording", "replay"],
  doctor: ["api", "policy", "core", "kube", "diagnose"],
  cli: [
    ...["api", "policy", "core", "kube", "release", "server", "service", "status", "simulate", "diagnose", "doctor"],
    ...["recording", "replay", "prewarm", "telemetry"],
  ],
};

const arrowRules = Object.entries(arrows).map(([folder, allowed]) => ({
  name: `${folder}-imports`,
  comment: `src/${folder} may import only: ${[folder, ...allowed].join(", ")} (docs/design.md)`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  // src/api/version.ts reads package.json.
  to: { dependencyTypes: ["local"], pathNot: `^(src/(${[folder, ...allowed].join("|")})/|package\\.json$)` },
}));

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "no-cycle",
      comment: "files that import each other, types included, cannot be read one after the other",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "pure-core",
      comment: "the core does no I/O: no Node modules, and lru-cache as the only package",
      severity: "error",
      from: { path: "^src/core/" },
      to: { dependencyTypesNot: ["local", "type-only"], pathNot: "node_modules/lru-cache/" },
    },
    {
      name: "listed-folder",
      comment: "every folder of src/ has its arrows above",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(${Object.keys(arrows).join("|")})/` },
      to: {},
    },
    ...arrowRules,
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    cache: { folder: "node_modules/.cache/dependency-cruiser", strategy: "content" },
  },
};
