/** The command lines of the four programs, with a reason for each difference from upstream's defaults. */
import type { ControlPlaneFolder } from "./folder.ts";

/** etcd listens on a socket in the folder. It needs no port, and no other user can reach it. */
export function etcdFlags(folder: ControlPlaneFolder): string[] {
  const nobody = "http://127.0.0.1:1"; // must look like host:port; a single member is never called there
  return [
    "--name=default",
    `--data-dir=${folder.file("etcd")}`,
    `--listen-client-urls=unix://${folder.file("etcd.sock")}`,
    `--advertise-client-urls=${nobody}`,
    `--listen-peer-urls=unix://${folder.file("etcd-peer.sock")}`,
    `--initial-advertise-peer-urls=${nobody}`,
    `--initial-cluster=default=${nobody}`,
    "--unsafe-no-fsync", // the data lives as long as the process
    `--quota-backend-bytes=${8 * 1024 ** 3}`, // 150,000 pods (the benches) outgrow the default of 2 GiB
    "--log-level=warn",
  ];
}

/** `port`: where it listens, on 127.0.0.1. `audit`: whether it writes `audit.log` into the folder. */
export function apiServerFlags(folder: ControlPlaneFolder, options: { port: number; audit: boolean }): string[] {
  return [
    `--etcd-servers=unix://${folder.file("etcd.sock")}`,
    `--secure-port=${options.port}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    "--endpoint-reconciler-type=none", // the default publishes the advertised address, which must not be loopback
    `--tls-cert-file=${folder.file("server.crt")}`,
    `--tls-private-key-file=${folder.file("server.key")}`,
    `--client-ca-file=${folder.file("ca.crt")}`,
    `--token-auth-file=${folder.file("tokens.csv")}`,
    `--service-account-key-file=${folder.file("service-account.key")}`,
    `--service-account-signing-key-file=${folder.file("service-account.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    "--authorization-mode=RBAC",
    "--disable-admission-plugins=ServiceAccount", // no controller makes service accounts, so pods must not need them
    "--allow-privileged=true", // system DaemonSets are privileged
    "--service-cluster-ip-range=10.96.0.0/16",
    // Names of modelled nodes do not resolve, and their InternalIP is a loopback address, to which it does not proxy.
    "--kubelet-preferred-address-types=ExternalIP,InternalIP",
    `--kubelet-client-certificate=${folder.file("kubelet-client.crt")}`,
    `--kubelet-client-key=${folder.file("kubelet-client.key")}`,
    // A herd and its observers run on 2 cores in one process. The API server's own queue, which production scales with
    // the cluster, must not limit them. Defaults 400 and 200.
    "--max-requests-inflight=3000",
    "--max-mutating-requests-inflight=1000",
    "--profiling=false",
    ...(options.audit ? auditFlags(folder) : []),
  ];
}

function auditFlags(folder: ControlPlaneFolder): string[] {
  return [
    `--audit-policy-file=${folder.file("audit-policy.yaml")}`,
    `--audit-log-path=${folder.file("audit.log")}`,
    "--audit-log-maxsize=0", // one file, never rotated: readers need the whole run
  ];
}

/** Only the controllers that the herds need: an idle controller still lists and watches. */
const CONTROLLERS = [
  "daemonset-controller",
  "deployment-controller",
  "replicaset-controller",
  "job-controller",
  "garbage-collector-controller",
  "namespace-controller",
  "node-lifecycle-controller",
  "clusterrole-aggregation-controller", // without it the roles view, edit and admin are empty
];

/**
 * node-lifecycle runs with its defaults. A node whose Lease is not renewed for 50 s becomes Unknown and gets the
 * unreachable taints (NoSchedule and NoExecute), and its pods are marked not ready. It evicts nothing by itself.
 * `taint-eviction-controller` does that. It is off here, so that a test machine that stalls for a minute loses no pods;
 * `controllers` can switch it on.
 */
export function controllerManagerFlags(kubeconfigPath: string, extraControllers: readonly string[]): string[] {
  return [
    `--kubeconfig=${kubeconfigPath}`,
    `--controllers=${[...CONTROLLERS, ...extraControllers].join(",")}`,
    "--use-service-account-credentials=true", // each controller has its own account, so that its own RBAC role applies
    "--leader-elect=false",
    "--secure-port=0",
    // The default (20, burst 30) would feed a herd to the scheduler one by one; managed control planes allow more.
    "--kube-api-qps=300",
    "--kube-api-burst=600",
  ];
}

/** kube-scheduler serves readiness and metrics (for the administrator) on `port`. */
export function schedulerFlags(
  folder: ControlPlaneFolder,
  options: { configPath: string; adminKubeconfigPath: string; port: number },
): string[] {
  return [
    `--config=${options.configPath}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${options.port}`,
    `--tls-cert-file=${folder.file("server.crt")}`,
    `--tls-private-key-file=${folder.file("server.key")}`,
    `--authentication-kubeconfig=${options.adminKubeconfigPath}`,
    `--authorization-kubeconfig=${options.adminKubeconfigPath}`,
    "--authentication-skip-lookup=true",
  ];
}
