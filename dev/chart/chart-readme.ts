/** The README of the chart, which registries show: how to install it, and each value with its comment in values.yaml */
import { stringify } from "yaml";
import type { ValueKey } from "./values-keys.ts";

const HEAD = `# Paceline

<!-- Written by \`npm run manifests\` from values.yaml. Change the comments there, not this page. -->

Pod pacing for Kubernetes: starts land on a young node in batches that its disk can feed.

\`\`\`sh
helm install paceline oci://ghcr.io/paceline/charts/paceline --namespace paceline --create-namespace \\
  --set image.repository=ghcr.io/paceline/paceline --set policy.mode=observe
\`\`\`

\`policy.mode=observe\` changes nothing and counts what it would have held. From a checkout, \`charts/paceline\` takes the
place of the \`oci://\` address. It needs Kubernetes 1.34 or later, and Helm 3.18 or 4.

**For your cloud**: \`-f\` one of the files in \`values/\` (EKS, EKS with an overlay CNI, private GKE, AKS, OpenShift, k3s,
minikube), which are in the package. **An upgrade** that would write over a live edit of the policy fails before it
changes anything (\`policyEdits\`). **Uninstalling** releases every held pod and lifts every fence first.

## Values

Helm refuses keys that it does not know, those of \`policy\` included.`;

/** The page, before it is formatted. */
export function chartReadme(keys: readonly ValueKey[]): string {
  const single = keys.filter((key) => key.keys.length === 0);
  const sections = keys.filter((key) => key.keys.length > 0);
  return [HEAD, single.map(item).join("\n"), ...sections.map(section)].join("\n\n");
}

function section(key: ValueKey): string {
  const intro = key.comment === "" ? [] : [escaped(key.comment)];
  return [`### ${key.path}`, ...intro, key.keys.map(item).join("\n")].join("\n\n");
}

/** A list rather than a table: the texts are long. */
function item({ path, comment, value }: ValueKey): string {
  const inOneLine = stringify(value, { collectionStyle: "flow", lineWidth: 0 }).trim();
  const text = comment === "" ? "" : `: ${escaped(comment)}`;
  return `- \`${path}\` (\`${inOneLine}\`)${text}`;
}

/** `<registry>` would be a tag. */
const escaped = (text: string) => text.replace(/[<>*]/g, "\\$&");
