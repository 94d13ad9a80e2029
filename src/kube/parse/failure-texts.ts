/**
 * Texts of the kubelet, runtimes and network plugins by which failed sandboxes are told apart, in Events and logs
 * alike.
 */

/**
 * A call that ran out of time. RST_STREAM with CANCEL is how the kubelet's own deadline reaches the runtime's client.
 */
export const OUT_OF_TIME =
  /context deadline exceeded|DeadlineExceeded|operation timeout|context cancell?ed|code = Canceled|RST_STREAM.{0,40}CANCEL/;

/** Words of network plugins that have no address left: VPC CNI, Azure, Calico, Cilium, host-local, whereabouts, GKE. */
export const NO_ADDRESS =
  /assign an IP address|no (?:more |free |available |unassigned )?IP(?:v[46])?s? (?:address(?:es)? )?(?:is |are )?(?:left|available)|not enough IPs available|no free IP|no available IP|no (?:available )?addresses available|No available addresses|IP pool exhausted|allocate (?:an )?(?:IP|address)|failed to allocate for range|InsufficientCidrBlocks|request(?:ed)? IPv[46] addresses|Assigned 0 out of|out of IP addresses|range is full|InsufficientFreeAddresses/i;

/** A plugin whose own request to an API server or a daemon failed, be it for time: the way there, not the disk. */
export const PLUGINS_REQUEST =
  /error getting ClusterInformation|(?:plugin type=|failed \(add\)|network for sandbox|\bCNI\b)[^]{0,1000}\b(?:Get|Post|Put|Patch) \\*"https?:\/\//;

/**
 * An earlier creation that ran out of time still holds the sandbox's name: containerd, CRI-O and docker. The latter two
 * call a sandbox k8s_POD_….
 */
export const SANDBOX_NAME_TAKEN =
  /failed to reserve sandbox name|error reserving pod name|container name \\*"\/?k8s_POD_[^"]*\\*" is already in use/;
