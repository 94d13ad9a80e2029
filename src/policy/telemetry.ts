/** The source of disk and CPU figures. A policy has one source; `stale` and `absent` mean the same for all. */
import * as z from "zod";
import type { DeepReadonly } from "./frozen.ts";
import { LabelSelector, selectsEverything } from "./label-selector.ts";
import { evenWithErrors, fieldsOf, section } from "./section.ts";

const File = z.string().regex(/^\/[^\0]+$/, "is not an absolute path; begin it with /");

const NamePattern = z
  .string()
  .min(1)
  .max(200)
  .superRefine((pattern, context) => {
    try {
      new RegExp(pattern);
    } catch (error) {
      context.addIssue({ code: "custom", message: `is not a regular expression (${(error as Error).message})` });
    }
  });

const Device = NamePattern.exactOptional().describe(
  "Regular expression for the whole name of the image file system's device, such as nvme1n1; without it Paceline finds the device, or takes the busiest.",
);

const Tls = section({
  caFile: File.exactOptional().describe("CA certificates (PEM) to trust instead of the system's."),
  certFile: File.exactOptional().describe("Client certificate (PEM); needs keyFile."),
  keyFile: File.exactOptional().describe("Private key of certFile (PEM)."),
  serverName: z.string().min(1).max(253).exactOptional().describe("Name to expect in the server's certificate."),
  insecureSkipVerify: z.boolean().default(false).describe("Accept any server certificate; only for trying things out."),
}).superRefine(checkKeyPair, evenWithErrors);

function checkKeyPair(tls: unknown, context: z.RefinementCtx) {
  const { certFile, keyFile } = fieldsOf(tls);
  if ((certFile === undefined) === (keyFile === undefined)) return;
  const [given, missing] = certFile === undefined ? ["keyFile", "certFile"] : ["certFile", "keyFile"];
  context.addIssue({ code: "custom", path: [missing], message: `is missing; ${given} needs it` });
}

const tls = () => Tls.exactOptional().describe("How to speak TLS with the source.");
const bearerTokenFile = () =>
  File.exactOptional().describe("File that holds a bearer token; read again in each round, so tokens can rotate.");

/** Time between two rounds. A start takes seconds, so minutes would be too late. */
const intervalMs = (defaultMs: number, why: string) =>
  z.int().min(250).max(60_000).default(defaultMs).describe(`Time between two rounds in ms; ${why}.`);

const timeoutMs = (defaultMs: number) =>
  z
    .int()
    .min(50)
    .max(30_000)
    .default(defaultMs)
    .describe("Time after which Paceline gives a request up, in ms; at most intervalMs.");

/** When a sample is no longer fresh. The defaults depend on how often the source itself reads. */
function ageLimits(staleSeconds: number, absentSeconds: number, why: string) {
  return {
    staleSeconds: z
      .number()
      .min(1)
      .max(600)
      .default(staleSeconds)
      .describe(`Age at which a sample no longer counts as fresh: its figures are unknown then, never idle; ${why}.`),
    absentSeconds: z
      .number()
      .min(2)
      .max(3600)
      .default(absentSeconds)
      .describe(
        "Age at which a node counts as having no telemetry at all; not below staleSeconds, by default a few times as much.",
      ),
  };
}

const InternalIP = section({
  type: z
    .literal("InternalIP")
    .default("InternalIP")
    .describe("The node's own address; right for an exporter on the host network."),
});
const Endpoints = section({
  type: z
    .literal("Endpoints")
    .describe("The addresses of a Service's endpoints; right for an exporter on the pod network."),
  namespace: z.string().min(1).max(63).describe("Namespace of the Service; for type Endpoints only."),
  service: z.string().min(1).max(63).exactOptional().describe("Name of the Service; either this or labelSelector."),
  labelSelector: LabelSelector.exactOptional().describe("Labels of its EndpointSlices; either this or service."),
}).superRefine(checkEndpoints, evenWithErrors);

function checkEndpoints(address: unknown, context: z.RefinementCtx) {
  const { service, labelSelector } = fieldsOf(address);
  if (service === undefined && labelSelector === undefined) {
    context.addIssue({
      code: "custom",
      path: ["service"],
      message: "is missing; name the Service, or give labelSelector",
    });
  } else if (service !== undefined && labelSelector !== undefined) {
    context.addIssue({
      code: "custom",
      path: ["labelSelector"],
      message: "is given besides service; keep one of them",
    });
  } else if (labelSelector !== undefined && selectsEverything(labelSelector)) {
    context.addIssue({ code: "custom", path: ["labelSelector"], message: "is empty; give at least one label" });
  }
}

const NodeExporter = section({
  source: z
    .literal("node-exporter")
    .default("node-exporter")
    .describe("Scrape each young or hot node's node_exporter directly."),
  address: z
    .discriminatedUnion("type", [InternalIP, Endpoints])
    .prefault({})
    .describe("Where a node's exporter is found."),
  port: z.int().min(1).max(65_535).default(9100).describe("Port of the exporter; 9100 is its own default."),
  scheme: z.enum(["http", "https"]).default("http").describe("Protocol; http is the exporter's own default."),
  path: z
    .string()
    .regex(/^\/[^\s#]*$/, "is not a path; begin it with /")
    .default("/metrics")
    .describe("Path of the metrics."),
  intervalMs: intervalMs(1500, "long enough for counters to move, short enough to see a herd coming"),
  timeoutMs: timeoutMs(1000),
  rotationSeconds: z
    .int()
    .min(5)
    .max(3600)
    .default(60)
    .describe(
      "Time in which all other nodes are scraped once, so that hot old nodes are found (assumed: a minute is soon enough).",
    ),
  device: Device,
  tls: tls(),
  bearerTokenFile: bearerTokenFile(),
  ...ageLimits(5, 30, "by default three missed rounds"),
});

const BasicAuth = section({
  username: z
    .string()
    .min(1)
    .regex(/^[^:]*$/, "holds a colon, which basic auth cannot carry")
    .describe("User name."),
  passwordFile: File.describe("File that holds the password."),
});

/** Label matchers of PromQL, without the braces. */
const LABEL_MATCHERS =
  /^\s*[A-Za-z_]\w*\s*(=|!=|=~|!~)\s*"([^"\\]|\\.)*"(\s*,\s*[A-Za-z_]\w*\s*(=|!=|=~|!~)\s*"([^"\\]|\\.)*")*\s*$/;

const Prometheus = section({
  source: z.literal("prometheus").describe("Ask Prometheus, or anything with its API, for all nodes in one request."),
  url: z.string().superRefine(checkUrl).describe("Base address, such as http://prometheus.monitoring:9090."),
  nodeLabel: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, "is not a label name of Prometheus; use letters, digits and '_'")
    .default("instance")
    .describe(
      "Label of the series that names the node; its value is the node's name, or its InternalIP with or without a port.",
    ),
  selector: z
    .string()
    .max(500)
    .regex(LABEL_MATCHERS, 'is not a list of label matchers; write it without braces, such as job="node-exporter"')
    .exactOptional()
    .describe('Label matchers that every query gets, without braces, such as job="node-exporter".'),
  intervalMs: intervalMs(5000, "Prometheus itself seldom scrapes more often than every 15 s"),
  timeoutMs: timeoutMs(2000),
  device: Device,
  tls: tls(),
  bearerTokenFile: bearerTokenFile(),
  basicAuth: BasicAuth.exactOptional().describe("Name and password for basic auth; either this or bearerTokenFile."),
  ...ageLimits(45, 180, "by default three of the usual 15 s between scrapes"),
});

function checkUrl(text: string, context: z.RefinementCtx) {
  const refuse = (message: string) => context.addIssue({ code: "custom", message });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    refuse("is not an http or https URL; write it like http://prometheus.monitoring:9090");
  } else if (url.username !== "" || url.password !== "") {
    refuse("carries a password; move it to basicAuth or bearerTokenFile, since the policy is no secret");
  } else if (url.search !== "" || url.hash !== "") {
    refuse("has a query or fragment; give the base address only");
  }
}

const Kubelet = section({
  source: z
    .literal("kubelet")
    .describe(
      "Read /stats/summary through the API server's proxy: pressure figures for clusters without node_exporter.",
    ),
  intervalMs: intervalMs(5000, "the kubelet refreshes these figures only every 10 s or so"),
  timeoutMs: timeoutMs(2000),
  ...ageLimits(30, 120, "by default three of the kubelet's own rounds"),
});

const None = section({
  source: z.literal("none").describe("No telemetry: Paceline decides by image bytes, start latency and failed starts."),
  ...ageLimits(5, 30, "of no effect with this source"),
});

/** The source of telemetry and its settings. */
export const Telemetry = z
  .discriminatedUnion("source", [NodeExporter, Prometheus, Kubelet, None])
  .superRefine(checkTelemetry, evenWithErrors);
export type Telemetry = DeepReadonly<z.output<typeof Telemetry>>;
export type TelemetrySource = Telemetry["source"];
/** The settings of one source, such as `TelemetryOf<"prometheus">`. */
export type TelemetryOf<Source extends TelemetrySource> = Extract<Telemetry, { readonly source: Source }>;

function checkTelemetry(telemetry: unknown, context: z.RefinementCtx) {
  const fields = fieldsOf(telemetry);
  const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  const above = (larger: string, smaller: string, smallerUnits = 1) => {
    const [a, b] = [fields[larger], fields[smaller]];
    return typeof a === "number" && typeof b === "number" && a > b * smallerUnits;
  };
  if (above("timeoutMs", "intervalMs"))
    refuse("timeoutMs", "is above intervalMs; a round must end before the next begins");
  if (above("staleSeconds", "absentSeconds"))
    refuse("absentSeconds", "is below staleSeconds; a sample gets stale before it is absent");
  if (above("intervalMs", "staleSeconds", 1_000))
    refuse("staleSeconds", "is below intervalMs; each sample would be stale before the next comes");
  const { url } = fields;
  if (fields["tls"] !== undefined && typeof url === "string" && url.startsWith("http:")) {
    refuse("tls", "is given, but url is http; write it with https");
  }
  if (fields["tls"] !== undefined && fields["source"] === "node-exporter" && fields["scheme"] !== "https") {
    refuse("tls", "is given, but scheme is http; set scheme to https");
  }
  if (fields["basicAuth"] !== undefined && fields["bearerTokenFile"] !== undefined) {
    refuse("basicAuth", "is given besides bearerTokenFile; keep one of them");
  }
}
