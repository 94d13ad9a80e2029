/**
 * Pods and nodes of a large cluster, as a controller, a kubelet and a cloud provider write them. They have about as
 * much JSON as real ones, and Paceline ignores nearly all of it. Pods come from Deployments and from five DaemonSets
 * per node.
 */
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";

export interface ClusterSize {
  readonly nodes: number;
  readonly pods: number;
}

/** An object as it is created, and its later status. */
export interface ObjectWithStatus {
  readonly object: KubeObject & { readonly metadata: { readonly name: string; readonly namespace?: string } };
  readonly status: Readonly<Record<string, unknown>>;
}

/** Deployments; 150,000 pods of 1,500 templates are 83 replicas each beside the DaemonSets' pods. */
const WORKLOADS = 1_500;
const NAMESPACES = 40;
const DAEMONS = ["aws-node", "kube-proxy", "ebs-csi-node", "node-exporter", "log-shipper"] as const;
/** Kubelets list at most 50 images (nodeStatusMaxImages). */
const IMAGES_PER_NODE = 50;
const REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

export const nodeNameAt = (index: number) =>
  `ip-10-${Math.floor(index / 62_500)}-${Math.floor(index / 250) % 250}-${index % 250}.eu-central-1.compute.internal`;
export const namespaceAt = (index: number) => `team-${index % NAMESPACES}`;
/** Every namespace that pods of {@link podObject} may be in. */
export const namespaces = (): readonly string[] => Array.from({ length: NAMESPACES }, (_, index) => namespaceAt(index));

/** Digits that look like a hash and are the same in every run. */
const hex = (seed: number, length: number) => {
  let text = "";
  for (let state = seed + 1; text.length < length;) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += state.toString(16).padStart(8, "0");
  }
  return text.slice(0, length);
};
const uuid = (seed: number) => hex(seed, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

const appImage = (workload: number) =>
  `${REGISTRY}/team-${workload % NAMESPACES}/service-${workload}:v1.${workload % 90}.0`;
const sidecarImage = (workload: number) => `${REGISTRY}/platform/proxy:v2.${workload % 12}.3`;
const daemonImage = (name: string) => `${REGISTRY}/eks/${name}:v1.19.2`;

/** A node that has been Ready since `readySinceMs`. */
export function nodeObject(index: number, readySinceMs: number): ObjectWithStatus {
  const name = nodeNameAt(index);
  const zone = `eu-central-1${"abc"[index % 3] ?? "a"}`;
  const resources = { cpu: "31850m", memory: "122Gi", "ephemeral-storage": "95551679124", pods: "110" };
  return {
    object: {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: nodeLabels(name, zone), annotations: nodeAnnotations(index) },
      spec: { providerID: `aws:///${zone}/i-0${hex(index, 16)}` },
    },
    status: {
      capacity: { ...resources, cpu: "32", memory: "127Gi" },
      allocatable: resources,
      addresses: [
        {
          type: "InternalIP",
          address: `10.${Math.floor(index / 62_500)}.${Math.floor(index / 250) % 250}.${index % 250}`,
        },
        { type: "Hostname", address: name },
        { type: "InternalDNS", address: name },
      ],
      conditions: nodeConditions(readySinceMs),
      images: Array.from({ length: IMAGES_PER_NODE }, (_, at) => nodeImage(index * 7 + at)),
      nodeInfo: {
        machineID: hex(index, 32),
        systemUUID: uuid(index),
        bootID: uuid(index + 1),
        architecture: "amd64",
        ...{
          operatingSystem: "linux",
          osImage: "Amazon Linux 2023.9.20261012",
          kernelVersion: "6.12.40-63.amzn2023.x86_64",
        },
        containerRuntimeVersion: "containerd://2.1.5",
        kubeletVersion: "v1.36.3",
        kubeProxyVersion: "",
      },
    },
  };
}

function nodeLabels(name: string, zone: string): Record<string, string> {
  return {
    "kubernetes.io/hostname": name,
    "kubernetes.io/arch": "amd64",
    "kubernetes.io/os": "linux",
    "topology.kubernetes.io/region": "eu-central-1",
    "topology.kubernetes.io/zone": zone,
    "topology.ebs.csi.aws.com/zone": zone,
    "node.kubernetes.io/instance-type": "m7i.8xlarge",
    ...{
      "karpenter.sh/nodepool": "general",
      "karpenter.sh/capacity-type": "on-demand",
      "karpenter.sh/registered": "true",
    },
    ...{
      "karpenter.sh/initialized": "true",
      "karpenter.k8s.aws/instance-family": "m7i",
      "k8s.io/cloud-provider-aws": "x",
    },
    "karpenter.k8s.aws/instance-cpu": "32",
    "karpenter.k8s.aws/instance-memory": "131072",
    team: "platform",
  };
}

function nodeAnnotations(index: number): Record<string, string> {
  return {
    "node.alpha.kubernetes.io/ttl": "300",
    "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    "csi.volume.kubernetes.io/nodeid": JSON.stringify({ "ebs.csi.aws.com": `i-0${hex(index, 16)}` }),
    "karpenter.sh/nodepool-hash": hex(3, 20),
  };
}

function nodeConditions(readySinceMs: number) {
  const at = { lastHeartbeatTime: new Date().toISOString(), lastTransitionTime: new Date(readySinceMs).toISOString() };
  const fine = (type: string, reason: string) => ({
    type,
    status: "False",
    reason,
    message: "kubelet sees none",
    ...at,
  });
  return [
    fine("MemoryPressure", "KubeletHasSufficientMemory"),
    fine("DiskPressure", "KubeletHasNoDiskPressure"),
    fine("PIDPressure", "KubeletHasSufficientPID"),
    { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status", ...at },
  ];
}

function nodeImage(workload: number) {
  const image = appImage(workload % WORKLOADS);
  const repository = image.slice(0, image.lastIndexOf(":"));
  return {
    names: [`${repository}@sha256:${hex(workload % WORKLOADS, 64)}`, image],
    sizeBytes: 20_000_000 + ((workload * 7_919) % WORKLOADS) * 150_000,
  };
}

/** The pod at a place, on its node; the first five of each node are DaemonSets'. */
export function podObject(index: number, { nodes }: ClusterSize, nowMs: number): ObjectWithStatus {
  const node = index % nodes;
  const daemon = DAEMONS[Math.floor(index / nodes)];
  const template =
    daemon === undefined ? workloadTemplate((index * 31) % WORKLOADS, index) : daemonTemplate(daemon, index);
  const { metadata, spec } = template;
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: daemon === undefined ? { ...spec, nodeName: nodeNameAt(node) } : pinned(spec, nodeNameAt(node)),
  };
  return { object, status: podStatus(index, spec.containers, nowMs) };
}

/** A pod of a Deployment as it comes to admission: on no node yet. */
export function unboundPodObject(index: number): ObjectWithStatus["object"] {
  return { apiVersion: "v1", kind: "Pod", ...workloadTemplate(index % WORKLOADS, index) };
}

/**
 * A DaemonSet pod for one node as it comes to admission. Its name differs from kube-system's pods, which are exempt.
 */
export function daemonPodObject(index: number, node: string): ObjectWithStatus["object"] {
  const { metadata, spec } = daemonTemplate("log-shipper", index);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, namespace: "observability" },
    spec: { ...unbound(pinned(spec, node)), priorityClassName: "" },
  };
}

function unbound<Spec extends object>(spec: Spec): Omit<Spec, "nodeName"> {
  const { nodeName: _, ...rest } = spec as Spec & { nodeName?: string };
  return rest;
}

function pinned<Spec extends object>(spec: Spec, node: string) {
  const term = { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] };
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
  return { ...spec, nodeName: node, affinity: { nodeAffinity } };
}

function workloadTemplate(workload: number, index: number) {
  const owner = `service-${workload}-${hex(workload, 10)}`;
  const app = `service-${workload}`;
  const labels = {
    app,
    "app.kubernetes.io/name": app,
    "app.kubernetes.io/version": `v1.${workload % 90}.0`,
    tier: "backend",
    "app.kubernetes.io/part-of": `product-${workload % 30}`,
    "pod-template-hash": hex(workload, 10),
  };
  const containers = [
    container("app", appImage(workload), workload, "250m"),
    ...(workload % 3 === 0 ? [] : [container("proxy", sidecarImage(workload), workload, "50m")]),
    ...(workload % 4 === 0 ? [container("metrics", sidecarImage(workload + 1), workload, "10m")] : []),
  ];
  const metadata = podMetadata(`${owner}-${index.toString(36).padStart(5, "0")}`, namespaceAt(workload), labels);
  return {
    metadata: { ...metadata, ownerReferences: [ownerReference("ReplicaSet", owner, workload)] },
    spec: { ...podSpec(containers, index), serviceAccountName: app, tolerations: podTolerations("NoExecute") },
  };
}

function daemonTemplate(name: string, index: number) {
  const labels = { app: name, "controller-revision-hash": hex(1, 10), "pod-template-generation": "3" };
  const tolerations = [{ operator: "Exists" }, ...podTolerations("NoSchedule"), ...podTolerations("NoExecute")];
  return {
    metadata: {
      ...podMetadata(`${name}-${index.toString(36).padStart(5, "0")}`, "kube-system", labels),
      ownerReferences: [ownerReference("DaemonSet", name, 9_000)],
    },
    spec: {
      ...podSpec([container(name, daemonImage(name), 9_000, "25m")], index),
      hostNetwork: true,
      priorityClassName: "system-node-critical",
      serviceAccountName: name,
      tolerations,
    },
  };
}

/** {@link podObject}'s pods come from so many DaemonSets. */
export const DAEMON_SETS = DAEMONS.length;

export function daemonSetObject(index: number, nodes: number): ObjectWithStatus {
  const name = DAEMONS[index] ?? "";
  const { metadata, spec } = daemonTemplate(name, index);
  const { labels, annotations, namespace } = metadata;
  const object = {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name, namespace, labels },
    spec: { selector: { matchLabels: { app: name } }, template: { metadata: { labels, annotations }, spec } },
  };
  return { object, status: { desiredNumberScheduled: nodes, currentNumberScheduled: nodes, numberReady: nodes } };
}

function podMetadata(name: string, namespace: string, labels: Record<string, string>) {
  const annotations = { "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "checksum/config": hex(5, 64) };
  return { name, namespace, labels, annotations };
}

function ownerReference(kind: string, name: string, seed: number) {
  return { apiVersion: "apps/v1", kind, name, uid: uuid(seed), controller: true, blockOwnerDeletion: true };
}

function podTolerations(effect: "NoExecute" | "NoSchedule") {
  const keys = ["not-ready", "unreachable"];
  const seconds = effect === "NoExecute" ? { tolerationSeconds: 300 } : {};
  return keys.map((key) => ({ key: `node.kubernetes.io/${key}`, operator: "Exists", effect, ...seconds }));
}

function podSpec(containers: readonly Container[], index: number) {
  const sources = [
    { serviceAccountToken: { expirationSeconds: 3_607, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    {
      downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] },
    },
  ];
  return {
    containers,
    volumes: [
      { name: "config", configMap: { name: "app-config", defaultMode: 420 } },
      { name: "tmp", emptyDir: {} },
      { name: `kube-api-access-${hex(index, 5)}`, projected: { defaultMode: 420, sources } },
    ],
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    ...{
      securityContext: { runAsNonRoot: true, runAsUser: 1_000, fsGroup: 1_000 },
      schedulerName: "default-scheduler",
    },
  };
}

type Container = ReturnType<typeof container>;

function container(name: string, image: string, workload: number, cpu: string) {
  const probe = (path: string) => ({
    httpGet: { path, port: 8_080, scheme: "HTTP" },
    periodSeconds: 10,
    timeoutSeconds: 1,
  });
  const fieldRef = (fieldPath: string) => ({ valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } });
  return {
    name,
    image,
    imagePullPolicy: "IfNotPresent",
    args: ["--listen=:8080", "--metrics=:9090", `--shard=${workload}`],
    ports: [{ name: "http", containerPort: 8_080, protocol: "TCP" }],
    env: [
      ...["DATABASE_URL", "CACHE_URL", "LOG_LEVEL", "REGION", "FEATURES"].map((key) => ({
        name: key,
        value: `${key.toLowerCase()}-of-service-${workload}.internal:5432`,
      })),
      { name: "POD_NAME", ...fieldRef("metadata.name") },
      { name: "POD_IP", ...fieldRef("status.podIP") },
    ],
    resources: { requests: { cpu, memory: "256Mi" }, limits: { memory: "512Mi" } },
    volumeMounts: [
      { name: "config", mountPath: "/etc/app", readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
    ],
    readinessProbe: probe("/readyz"),
    livenessProbe: probe("/healthz"),
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
  };
}

/** As the kubelet writes it once every container has started. */
function podStatus(index: number, containers: readonly Container[], nowMs: number): Record<string, unknown> {
  const at = new Date(nowMs).toISOString();
  const fine = (type: string) => ({
    type,
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: at,
    observedGeneration: 1,
  });
  const podIP = `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
  return {
    phase: "Running",
    qosClass: "Burstable",
    startTime: at,
    hostIP: "10.0.0.1",
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(fine),
    containerStatuses: containers.map(({ name, image }, place) => ({
      name,
      image,
      ready: true,
      started: true,
      restartCount: 0,
      lastState: {},
      imageID: `${image.slice(0, image.lastIndexOf(":"))}@sha256:${hex(place, 64)}`,
      containerID: `containerd://${hex(index * 3 + place, 64)}`,
      state: { running: { startedAt: at } },
    })),
  };
}
