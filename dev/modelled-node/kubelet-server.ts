/**
 * The part of a kubelet's server that clients read through the API server's proxy: its configuration, its cgroup
 * version and its node's pressure. It answers only this machine.
 */
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type KeyPairPem, issueServerCertificate, makeAuthority } from "../../src/certificates/certificates.ts";
import { kubeletDefaults } from "../../src/simulate/model/constants.ts";
import type { KubeletSpec, NodeCounters } from "../../src/simulate/model/types.ts";
import { close, listen } from "./listening.ts";
import { outsideAddress } from "./outside-address.ts";

/** A node has waited a little since it booted; zero in all is what a kubelet on cgroup v1 serves. */
const SINCE_BOOT_US = 1_000;

export interface KubeletServerOptions {
  /** Settings that differ from the kubelet's defaults. */
  readonly kubelet: Partial<KubeletSpec> | undefined;
  readonly maxPods: number;
  /** 2 has pressure figures, 1 has none. */
  readonly cgroupVersion: 1 | 2;
  readonly counters: () => NodeCounters;
  /** Where to listen: `loopback`, or an address of this machine that kube-apiserver proxies to, if there is one. */
  readonly reach: "loopback" | "proxy";
  readonly loopback: string;
  readonly nowMs: () => number;
}

export interface KubeletServer {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Days; far beyond any run. */
const CERTIFICATE_DAYS = 30;
/** One certificate for all nodes: a kubelet signs its own, and kube-apiserver does not check it by default. */
let certificate: Promise<KeyPairPem> | undefined;

/** Listens on a free port. @throws when no port is free */
export async function startKubeletServer(options: KubeletServerOptions): Promise<KubeletServer> {
  const address = (options.reach === "proxy" ? outsideAddress() : undefined) ?? options.loopback;
  const pages = pagesOf(options);
  const server = createServer(await (certificate ??= selfSigned(Date.now())), (request, response) => {
    const page = isLocal(request) ? pages[request.url?.split("?")[0] ?? ""] : undefined;
    const text = page?.();
    const type = text?.startsWith("{") ? "application/json" : "text/plain; version=0.0.4";
    response.writeHead(text === undefined ? 404 : 200, { "content-type": type });
    response.end(text ?? "404 page not found\n");
  });
  await listen(server, 0, address);
  return { address, port: (server.address() as AddressInfo).port, stop: () => close(server) };
}

const isLocal = ({ socket }: IncomingMessage) =>
  socket.remoteAddress === socket.localAddress || socket.remoteAddress?.startsWith("127.") === true;

async function selfSigned(nowMs: number): Promise<KeyPairPem> {
  const authority = await makeAuthority({ commonName: "modelled kubelet", days: CERTIFICATE_DAYS, nowMs });
  return issueServerCertificate(authority, { names: ["kubelet"], days: CERTIFICATE_DAYS, nowMs });
}

function pagesOf(options: KubeletServerOptions): Readonly<Record<string, () => string>> {
  const summary = summaryPage(options);
  return {
    "/healthz": () => "ok",
    "/configz": () => JSON.stringify({ kubeletconfig: configuration(options) }),
    "/metrics": () =>
      "# HELP kubelet_cgroup_version [ALPHA] cgroup version on the hosts.\n# TYPE kubelet_cgroup_version gauge\n" +
      `kubelet_cgroup_version ${options.cgroupVersion}\n`,
    "/stats/summary": summary,
  };
}

/** The part of KubeletConfiguration (kubelet.config.k8s.io/v1beta1) that the model has. */
function configuration({ kubelet, maxPods }: KubeletServerOptions): object {
  const spec: KubeletSpec = { ...kubeletDefaults, ...kubelet };
  return {
    maxPods,
    registryPullQPS: spec.registryPullQPS,
    registryBurst: spec.registryBurst,
    serializeImagePulls: spec.serializeImagePulls,
    maxParallelImagePulls: spec.maxParallelImagePulls,
    runtimeRequestTimeout: goDuration(spec.runtimeRequestTimeoutSeconds),
  };
}

/** As Go prints durations: `2m0s`. */
function goDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}

/** Averages are since the last request: the model keeps no windows. */
function summaryPage({ cgroupVersion, counters, nowMs }: KubeletServerOptions): () => string {
  let before = { atMs: nowMs(), pressure: counters().pressure };
  return () => {
    const atMs = nowMs();
    const { pressure } = counters();
    const share = (now: number, then: number) => {
      const percent = atMs > before.atMs ? Math.min(100, (100 * (now - then)) / (atMs - before.atMs)) : 0;
      return { total: SINCE_BOOT_US + Math.round(now * 1_000), avg10: percent, avg60: percent, avg300: percent };
    };
    const psi = (some: keyof typeof pressure) =>
      cgroupVersion === 2 ? { psi: { some: share(pressure[some], before.pressure[some]) } } : {};
    const time = new Date(atMs).toISOString();
    const node = {
      cpu: { time, ...psi("cpuWaitingMs") },
      memory: { time, ...psi("memoryWaitingMs") },
      io: { time, ...psi("ioWaitingMs") },
    };
    before = { atMs, pressure };
    return JSON.stringify({ node, pods: [] });
  };
}
