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

test("what operators apply fails open, refuses by name only, and calls the paths that Paceline serves", () => {
  expect(shipped.extenders).toHaveLength(1);
  expect(shipped.extenders?.[0]).toMatchObject({
    filterVerb: "filter",
    prioritizeVerb: "prioritize",
    nodeCacheCapable: true,
    ignorable: true,
    enableHTTPS: true,
  });
  expect(shipped.extenders?.[0]?.urlPrefix).toMatch(/\/scheduler$/);
});

test("rendering changes where the extender is and whom to trust, and nothing else of it", () => {
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

test("an http extender goes without TLS, and a path of its own replaces the file's", () => {
  const [extender] = render({ extenderUrl: "http://127.0.0.1:1/noop" }).extenders ?? [];
  expect(extender).toMatchObject({ urlPrefix: "http://127.0.0.1:1/noop" });
  expect(extender).not.toHaveProperty("tlsConfig");
  expect(extender).not.toHaveProperty("enableHTTPS");
});

test("https without anybody to trust is refused: kube-scheduler would then trust everybody", () => {
  expect(() => render({ extenderUrl: "https://127.0.0.1:1" })).toThrow("extenderTls.ca");
});

test("unmodified means no extender; kubeconfig, name and rate are set all the same", () => {
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
