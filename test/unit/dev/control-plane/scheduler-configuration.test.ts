import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { expect, test } from "vitest";
import {
  renderSchedulerConfig,
  schedulerConfigFile,
  type SchedulerOptions,
} from "../../../../dev/control-plane/scheduler-configuration.ts";

interface Configuration {
  clientConnection: { kubeconfig: string; qps?: number; burst?: number };
  leaderElection: { leaderElect: boolean };
  profiles?: { schedulerName: string }[];
  extenders?: Record<string, unknown>[];
}

const kubeconfigPath = "/tmp/kubeconfig";
const render = (options: SchedulerOptions) =>
  parse(renderSchedulerConfig({ ...options, kubeconfigPath })) as Configuration;
const shipped = parse(readFileSync(schedulerConfigFile, "utf8")) as Configuration;

test("the configuration for operators fails open, refuses by name only, and calls the paths that Paceline serves", () => {
  expect(shipped.extenders).toHaveLength(1);
  expect(shipped.extenders?.[0]).toMatchObject({
    filterVerb: "filter",
    prioritizeVerb: "prioritize",
    preemptVerb: "preempt",
    nodeCacheCapable: true,
    ignorable: true,
    enableHTTPS: true,
  });
  expect(shipped.extenders?.[0]?.urlPrefix).toMatch(/\/scheduler$/);
});

test("rendering changes only the extender's address and its trusted authority", () => {
  const [extender] =
    render({
      extenderUrl: "https://127.0.0.1:4711",
      extenderTls: { ca: "CA", client: { cert: "CERT", key: "KEY" } },
    }).extenders ?? [];
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  expect(extender).toEqual({
    ...shipped.extenders?.[0],
    urlPrefix: "https://127.0.0.1:4711/scheduler",
    tlsConfig: { serverName: "127.0.0.1", caData: base64("CA"), certData: base64("CERT"), keyData: base64("KEY") },
  });
});

test("an http extender has no TLS, and its own path replaces the file's", () => {
  const [extender] = render({ extenderUrl: "http://127.0.0.1:1/noop" }).extenders ?? [];
  expect(extender).toMatchObject({ urlPrefix: "http://127.0.0.1:1/noop" });
  expect(extender).not.toHaveProperty("tlsConfig");
  expect(extender).not.toHaveProperty("enableHTTPS");
});

test("https without an authority is refused, because kube-scheduler would then trust any certificate", () => {
  expect(() => render({ extenderUrl: "https://127.0.0.1:1" })).toThrow("extenderTls.ca");
});

test("unmodified means no extender; kubeconfig, name and rate are still set", () => {
  const config = render({ schedulerName: "paced", clientQps: 500 });
  expect(config).not.toHaveProperty("extenders");
  expect(config).toMatchObject({
    clientConnection: { kubeconfig: kubeconfigPath, qps: 500, burst: 1000 },
    leaderElection: { leaderElect: false },
    profiles: [{ schedulerName: "paced" }],
  });
});

test("a configuration that is not YAML is refused with the place", () => {
  expect(() => render({ config: "a: [1" })).toThrow("not YAML");
});
