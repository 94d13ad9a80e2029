/** Follows the EndpointSlices of node_exporter's Service, for exporters on the pod network. */
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Clock } from "../kube/clock.ts";
import type { Log } from "../kube/log.ts";
import { startReflector } from "../kube/watch/reflector.ts";
import type { NodeName } from "../core/ids.ts";
import type { LabelRequirement, LabelSelector } from "../policy/label-selector.ts";
import type { TelemetryOf } from "../policy/telemetry.ts";
import { ExporterAddresses, sliceAddresses } from "../telemetry/endpoints.ts";

export type EndpointsAddress = Extract<TelemetryOf<"node-exporter">["address"], { readonly type: "Endpoints" }>;

export interface ExporterEndpointsOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export interface ExporterEndpoints {
  /** Address of the node's exporter; undefined while it has no ready one. */
  addressOf(node: NodeName): string | undefined;
  stop(): Promise<void>;
}

/** Starts to follow them. If the cluster does not let us read EndpointSlices, it logs that and tries again. */
export function followExporterEndpoints(
  address: EndpointsAddress,
  options: ExporterEndpointsOptions,
): ExporterEndpoints {
  const addresses = new ExporterAddresses();
  const keyOf = ({ metadata }: { readonly metadata?: { readonly name?: string } }) => metadata?.name ?? "";
  const reflector = startReflector({
    ...options,
    path: `/apis/discovery.k8s.io/v1/namespaces/${address.namespace}/endpointslices`,
    query: { labelSelector: sliceSelector(address) },
    keyOf,
    parse: (raw) => ({ key: keyOf(raw), addresses: sliceAddresses(raw) }),
    onUpsert: (slice) => addresses.set(slice.key, slice.addresses),
    onDelete: (key) => addresses.delete(key),
  });
  return { addressOf: (node) => addresses.get(node), stop: () => reflector.stop() };
}

/** The selector of the slices in the API server's syntax. */
export function sliceSelector({ service, labelSelector }: EndpointsAddress): string {
  if (service !== undefined) return `kubernetes.io/service-name=${service}`;
  const { matchLabels = {}, matchExpressions = [] } = labelSelector ?? ({} satisfies LabelSelector);
  return [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(expressionText),
  ].join(",");
}

function expressionText(requirement: LabelRequirement): string {
  const { key } = requirement;
  switch (requirement.operator) {
    case "In":
      return `${key} in (${requirement.values.join(",")})`;
    case "NotIn":
      return `${key} notin (${requirement.values.join(",")})`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
    default:
      return requirement satisfies never;
  }
}
