import { describe, expect, test } from "vitest";
import { sandboxFailure } from "../../../../src/kube/parse/sandbox-failure.ts";

const SANDBOX = "2585244756197a04982514cc97947f5b7f702492df9776871fa3d7d3b3cba718";
const network = (text: string) =>
  `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "${SANDBOX}": ${text}`;

/** An Event as a kubelet writes it: core/v1, with both of the fields that name the node. */
const event = (message: string, given: Record<string, unknown> = {}) => ({
  metadata: { name: "web-1.18a", namespace: "shop", uid: "e1", resourceVersion: "7" },
  involvedObject: { kind: "Pod", namespace: "shop", name: "web-1", uid: "p1", apiVersion: "v1", resourceVersion: "5" },
  reason: "FailedCreatePodSandBox",
  message,
  source: { component: "kubelet", host: "node-1" },
  count: 1,
  type: "Warning",
  reportingComponent: "kubelet",
  reportingInstance: "node-1",
  ...given,
});

/** Messages as issues of these projects show them; the address of each is where it was seen. */
const seen: readonly (readonly [cause: string, source: string, message: string])[] = [
  [
    "NoAddress",
    "github.com/aws/karpenter-provider-aws/issues/3989",
    network('plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container'),
  ],
  [
    "NoAddress",
    "github.com/aws/amazon-vpc-cni-k8s/issues/668 (docker, combined)",
    `(combined from similar events): Failed create pod sandbox: rpc error: code = Unknown desc = failed to set up sandbox container "${SANDBOX}" network for pod "a": NetworkPlugin cni failed to set up pod "a_b" network: add cmd: failed to assign an IP address to container`,
  ],
  [
    "NoAddress",
    "github.com/cilium/cilium/issues/18331",
    network("unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure range is full"),
  ],
  [
    "NoAddress",
    "github.com/Azure/azure-container-networking/issues/2999",
    network(
      'plugin type="azure-vnet" failed (add): IPAM Invoker Add failed with error: Failed to get IP address from CNS: AllocateIPConfig failed: not enough IPs available, waiting on Azure CNS to allocate more',
    ),
  ],
  [
    "NoAddress",
    "github.com/Azure/AKS/issues/2532",
    network("Failed to allocate pool: Failed to delegate: Failed to allocate address: No available addresses"),
  ],
  [
    "NoAddress",
    "github.com/k3s-io/k3s/issues/5885",
    network("failed to allocate for range 0: no IP addresses available in range set: 10.42.1.1-10.42.1.254"),
  ],
  [
    "RateLimited",
    "github.com/cilium/cilium/issues/47031",
    network(
      'plugin type="cilium-cni" failed (add): unable to create endpoint: [PUT /endpoint/{id}][429] putEndpointIdTooManyRequests',
    ),
  ],
  [
    "RateLimited",
    "github.com/cilium/cilium/issues/14922",
    network(
      "Unable to create endpoint: response status code does not match any response statuses defined for this endpoint in the swagger spec (status 429): {}",
    ),
  ],
  [
    "RateLimited",
    "k8s.io/client-go/rest/request.go: a client's own limiter",
    network(
      'plugin type="multus-cni" failed (add): client rate limiter Wait returned an error: context deadline exceeded',
    ),
  ],
  [
    "TimedOut",
    "github.com/senthilrch/kube-fledged/issues/194",
    "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
  ],
  [
    "TimedOut",
    "github.com/senthilrch/kube-fledged/issues/194 (what follows from it)",
    `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve sandbox name "a_b_0": name "a_b_0" is reserved for "${SANDBOX}"`,
  ],
  [
    "TimedOut",
    "github.com/cri-o/cri-o/issues/2984",
    `Failed create pod sandbox: rpc error: code = Unknown desc = error reserving pod name k8s_a_b_c_0 for id ${SANDBOX}`,
  ],
  [
    "TimedOut",
    "github.com/cilium/cilium/issues/27816",
    network('plugin type="cilium-cni" failed (add): unable to create endpoint: Cilium API client timeout exceeded'),
  ],
  [
    "Other",
    "github.com/aws/amazon-vpc-cni-k8s/issues/3016: the plugin's daemon does not run yet",
    network(
      'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:50051: connect: connection refused"',
    ),
  ],
  [
    "Other",
    "the same for cilium: its agent's socket is not there yet",
    network(
      'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: dial unix /var/run/cilium/cilium.sock: connect: no such file or directory',
    ),
  ],
  [
    "Other",
    "containerd and kubelet while no plugin is installed",
    "Failed to create pod sandbox: rpc error: code = Unknown desc = cni plugin not initialized",
  ],
  [
    "Other",
    "a plugin that cannot reach the API server: kube-proxy is not there yet",
    network(
      'plugin type="calico" failed (add): error getting ClusterInformation: Get "https://10.96.0.1:443/apis/crd.projectcalico.org/v1/clusterinformations/default": context deadline exceeded',
    ),
  ],
  [
    "Other",
    "a registry that refuses the pause image",
    'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "registry.k8s.io/pause:3.10": failed to pull image "registry.k8s.io/pause:3.10": 429 Too Many Requests',
  ],
  [
    "Other",
    "docker names the pod, here Envoy's ratelimit service",
    'Failed create pod sandbox: failed to set up sandbox container "a" network for pod "ratelimit-5": no plugin',
  ],
  [
    "Other",
    "github.com/projectcalico/calico/issues/8180",
    network('plugin type="calico" failed (add): error adding host side routes for interface: calid29a1cadef5'),
  ],
];

describe("an Event of a sandbox that was not made", () => {
  test.each(seen)("%s: %s", (cause, _source, message) => {
    expect(sandboxFailure(event(message))).toEqual({ pod: "p1", node: "node-1", cause });
  });

  test("names its node by the kubelet that reports it, in either field", () => {
    expect(sandboxFailure(event("x", { source: undefined }))?.node).toBe("node-1");
    expect(sandboxFailure(event("x", { reportingInstance: "" }))?.node).toBe("node-1");
  });

  test("tells of no other object, reason, or reporter", () => {
    expect(sandboxFailure(event("x", { involvedObject: { kind: "Node", uid: "p1" } }))).toBeUndefined();
    expect(sandboxFailure(event("x", { involvedObject: { kind: "Pod" } }))).toBeUndefined();
    expect(sandboxFailure(event("x", { reason: "Failed" }))).toBeUndefined();
    expect(sandboxFailure(event("x", { source: {}, reportingInstance: undefined }))).toBeUndefined();
    const other = { source: { component: "mine", host: "node-1" }, reportingComponent: "mine" };
    expect(sandboxFailure(event("x", other))).toBeUndefined();
  });

  test("whatever its JSON holds, never throws, and a message without end costs little", () => {
    for (const broken of [{}, { involvedObject: 3 }, event(""), event("x", { message: { a: 1 } })]) {
      expect(() => sandboxFailure(broken)).not.toThrow();
    }
    const long = event(`plugin type="x" ${"Get CNI ".repeat(200_000)}`);
    const startMs = performance.now();
    expect(sandboxFailure(long)?.cause).toBe("Other");
    expect(performance.now() - startMs).toBeLessThan(200);
  });
});
