/** EC2 user data as MIME parts, which nodeadm (AL2023) and cloud-init (AL2) take, and to which EKS adds its own. */
import { UsageError } from "../../api/usage-error.ts";
import { type Format, headline } from "./prewarm-list.ts";
import { pullScript } from "./pull-script.ts";

/** Bytes before base64, EC2's limit on user data. */
const MOST_BYTES = 16_384;
const BOUNDARY = "==PACELINE-PREWARM==";

interface Part {
  readonly type: string;
  readonly content: string;
}

function mime(preamble: string, parts: readonly Part[], name: string): string {
  const text = [
    `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="${BOUNDARY}"\n\n${preamble}`,
    ...parts.map(({ type, content }) => `--${BOUNDARY}\nContent-Type: ${type}\n\n${content.trimEnd()}\n`),
    `--${BOUNDARY}--\n`,
  ].join("\n");
  const bytes = Buffer.byteLength(text);
  if (bytes <= MOST_BYTES) return text;
  throw new UsageError(
    `--format ${name}: this user data has ${bytes} bytes, and EC2 takes ${MOST_BYTES}: give a smaller --budget, or build a machine image (--format packer)`,
  );
}

const SHELL = 'text/x-shellscript; charset="us-ascii"';

/**
 * For AL2023: nodeadm writes containerd's configuration before cloud-init runs the script, and starts the kubelet after
 * it (nodeadm-config.service, nodeadm-run.service in awslabs/amazon-eks-ami).
 */
export const nodeadm: Format = (list, options) => {
  const parts = [{ type: SHELL, content: pullScript(list, options) }];
  if (options.withPart === undefined)
    return mime(
      `${headline(list)}\nManaged node groups and Karpenter add the NodeConfig themselves; elsewhere, add yours with --with FILE.\n`,
      parts,
      "nodeadm",
    );
  return mime(
    `${headline(list)}\n`,
    [{ type: "application/node.eks.aws", content: options.withPart }, ...parts],
    "nodeadm",
  );
};

/** For AL2: cloud-init runs the parts in order, and EKS adds the one that starts the kubelet at the end. */
export const al2UserData: Format = (list, options) => {
  const pulls = { type: SHELL, content: pullScript(list, options) };
  if (options.withPart === undefined)
    return mime(
      `${headline(list)}\nManaged node groups add /etc/eks/bootstrap.sh themselves; elsewhere, add a script that calls it with --with FILE.\n`,
      [pulls],
      "al2-userdata",
    );
  return mime(`${headline(list)}\n`, [pulls, { type: SHELL, content: options.withPart }], "al2-userdata");
};
