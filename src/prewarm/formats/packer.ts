/** A Packer template (HCL2) that bakes the images into a machine image on top of EKS's AL2023 image. */
import type { ListedSizes } from "../../recording/runtimes.ts";
import { type Format, gib, headline, type PrewarmList, totalBytes } from "./prewarm-list.ts";
import { pullScript } from "./pull-script.ts";

/** Seconds; a build waits for everything, and nothing waits for the build. */
const BUILD_SECONDS = 3_600;
/** Root volume beside the images, GiB: what EKS's image has. */
const BASE_GIB = 20;
/**
 * Disk bytes for each listed byte: `ctr` keeps the compressed layers beside the unpacked ones. Assumed: program files
 * compress 3:1 at most, and never grow by it.
 */
export const diskPerListed: Readonly<Record<ListedSizes, number>> = { compressed: 4, unpacked: 2 };

const beside: Readonly<Record<ListedSizes, string>> = {
  compressed: "compressed, and what they unpack to",
  unpacked: "unpacked, and their compressed layers",
};

/** Without what HCL would take for a template. */
const inHeredoc = (text: string) => text.replaceAll("${", () => "$${").replaceAll("%{", () => "%%{");

/** GiB that a volume for these images should have, besides `beside`. */
export function volumeGib({ images, sizes }: PrewarmList, beside: number): number {
  return beside + Math.ceil((totalBytes(images) * diskPerListed[sizes]) / 1_024 ** 3);
}

/** Fails closed: a machine image that lacks images is not made. */
export const packer: Format = (list, { parallel }) => {
  const script = pullScript(list, { parallel, timeoutSeconds: BUILD_SECONDS });
  return `# ${headline(list)}
# packer init . && packer build -var kubernetes_version=1.33 .
# Nodes start with the images: nothing waits, unlike with user data. Build it anew when the images change.
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.0"
    }
  }
}

variable "kubernetes_version" {
  type        = string
  description = "Minor version of the cluster, such as 1.33."
}

variable "architecture" {
  type    = string
  default = "x86_64"
}

variable "build_instance_type" {
  type        = string
  default     = "m6i.large"
  description = "Must be of the same architecture."
}

variable "instance_profile" {
  type        = string
  default     = ""
  description = "Instance profile with AmazonEC2ContainerRegistryPullOnly, for images in ECR."
}

data "amazon-parameterstore" "base" {
  name = "/aws/service/eks/optimized-ami/\${var.kubernetes_version}/amazon-linux-2023/\${var.architecture}/standard/recommended/image_id"
}

source "amazon-ebs" "node" {
  ami_name             = "eks-prewarmed-\${var.kubernetes_version}-\${formatdate("YYYYMMDDhhmmss", timestamp())}"
  source_ami           = data.amazon-parameterstore.base.value
  instance_type        = var.build_instance_type
  iam_instance_profile = var.instance_profile
  ssh_username         = "ec2-user"

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_type           = "gp3"
    volume_size           = ${volumeGib(list, BASE_GIB)} # ${gib(totalBytes(list.images))} ${beside[list.sizes]}
    delete_on_termination = true
  }
}

build {
  sources = ["source.amazon-ebs.node"]

  provisioner "file" {
    destination = "/tmp/prewarm.sh"
    content     = <<-PACELINE_PREWARM
${inHeredoc(script)}
    PACELINE_PREWARM
  }

  provisioner "shell" {
    inline = [
      "sudo PREWARM_STRICT=1 bash /tmp/prewarm.sh",
      "sudo systemctl stop containerd",
      "sudo rm /tmp/prewarm.sh && sync",
    ]
  }
}
`;
};
