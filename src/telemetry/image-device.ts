/** Finds the disk that holds the node's images, from node_exporter's filesystem collector. Pure. */

/**
 * Where images may be, the likeliest first. The first that is a mount point decides. Behind the runtimes' own folders
 * come the volumes that node images bind there, for exporters that leave the bind mounts out: local SSDs of EKS AL2023
 * (RAID0) and GKE. An exporter that sees its own container only (its / is an overlay) still shows the files that the
 * runtime keeps for the sandbox, next to its images.
 */
export const imageMounts = [
  "/var/lib/containerd",
  "/var/lib/containers/storage",
  "/var/lib/containers",
  "/var/lib/docker",
  "/mnt/k8s-disks/0",
  "/mnt/stateful_partition/kube-ephemeral-ssd",
  "/var/lib",
  "/var",
  "/local",
  "/mnt/stateful_partition",
  "/",
  "/etc/hostname",
  "/etc/resolv.conf",
] as const;

/** Where kubelets keep their own data: local SSDs that hold the images hold this, too. */
const KUBELET = "/var/lib/kubelet";

/** Mount points that are read. */
export const readMounts: readonly string[] = [...imageMounts, KUBELET];

/**
 * Local SSDs that node images bind the runtime's folders to, and the devices that show this where the kubelet's folder
 * does not. On EKS it is an array always. Source: awslabs/amazon-eks-ami,
 * templates/shared/runtime/bin/setup-local-disks.
 */
const localDisks: ReadonlyMap<string, RegExp> = new Map([
  ["/mnt/k8s-disks/0", /^\/dev\/md/],
  ["/mnt/stateful_partition/kube-ephemeral-ssd", /^/],
]);

/** The root of a container: it has no disk of its own. */
const OVERLAY = "overlay";

/** Partition numbers: nvme0n1p3 and mmcblk0p1 (after a digit, behind a p), sda1 and vda1. */
const PARTITION = /^(?:(.*\d)p\d+|(\D+)\d+)$/;

/** Where device mapper (LVM, LUKS) shows its volumes by name. */
const MAPPER = "/dev/mapper/";

/**
 * The disk under the image file system, by its name in diskstats; undefined when the mounts do not show it.
 * @param mounts device, such as /dev/nvme0n1p1, by mount point
 * @param isDisk whether diskstats lists a device of that name
 * @param mapped device, such as dm-3, by its name under /dev/mapper
 */
export function imageDeviceOf(
  mounts: ReadonlyMap<string, string>,
  isDisk: (name: string) => boolean,
  mapped: ReadonlyMap<string, string> = new Map(),
): string | undefined {
  const mount = imageMounts.find((path) => mayHoldImages(path, mounts));
  return mount && diskOf(mounts.get(mount) ?? "", isDisk, mapped);
}

function mayHoldImages(mount: string, mounts: ReadonlyMap<string, string>): boolean {
  const device = mounts.get(mount);
  if (device === undefined || device === OVERLAY) return false;
  const expected = localDisks.get(mount);
  if (expected === undefined) return true;
  const kubelets = mounts.get(KUBELET);
  return kubelets === undefined ? expected.test(device) : kubelets === device;
}

/** The disk, by its name in diskstats, of a device that is mounted; undefined where diskstats does not list it. */
export function diskOf(
  device: string,
  isDisk: (name: string) => boolean,
  mapped: ReadonlyMap<string, string> = new Map(),
): string | undefined {
  if (!device.startsWith("/dev/")) return undefined;
  if (device.startsWith(MAPPER)) {
    const volume = mapped.get(device.slice(MAPPER.length));
    return volume !== undefined && isDisk(volume) ? volume : undefined;
  }
  const name = device.slice(device.lastIndexOf("/") + 1);
  const [, numbered, lettered] = PARTITION.exec(name) ?? [];
  return [name, numbered, lettered].find((found) => found !== undefined && isDisk(found));
}
