/**
 * `paceline status` against a real API server, without a running service and with one: it shows the waiting pods and
 * their reasons.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { installAccess } from "../../dev/install.ts";
import { MAIN, startServiceProcess } from "../../dev/service.ts";
import { GATE, HOLD_ANNOTATION } from "../../src/api/names.ts";
import { formatHold } from "../../src/kube/parse/annotations.ts";
import { nodeName } from "../../src/core/ids.ts";
import type { StatusAnswer } from "../../src/server/answers.ts";
import { createBareNode, eventually } from "../support/control-plane.ts";
import { fixedPolicy, podsPath } from "../support/herd.ts";

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false, controllerManager: false });
  await createBareNode(plane.client, "young-1");
  await createHeldPod("waits", "StartupSlotsFull");
});
afterAll(() => plane.stop());

/** A held pod as the leader leaves it: gated, annotated with the reason, and able to run on `young-1` only. */
async function createHeldPod(name: string, reason: "StartupSlotsFull"): Promise<void> {
  const hold = formatHold({ node: nodeName("young-1"), reason, sinceMs: Date.now() - 5_000 });
  const onlyThere = { matchFields: [{ key: "metadata.name", operator: "In", values: ["young-1"] }] };
  await plane.client.create(podsPath("default"), {
    metadata: { name, annotations: { [HOLD_ANNOTATION]: hold } },
    spec: {
      containers: [{ name: "main", image: "app:1" }],
      schedulingGates: [{ name: GATE }],
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [onlyThere] } },
      },
    },
  });
}

type Printed = StatusAnswer & { readonly problems: readonly string[] };

/** Runs the command; `code` is its exit code. */
function status(...flags: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const words = [MAIN, "status", "--kubeconfig", plane.kubeconfigPath, ...flags];
  return new Promise((resolve) => {
    execFile(process.execPath, words, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const parsed = ({ stdout }: { stdout: string }) => JSON.parse(stdout) as Printed;

test("without policy or leader it exits 1, says what is wrong, and still shows the waiting pods and their reasons", async () => {
  const answer = await status("--json");
  expect(answer.code, answer.stderr).toBe(1);
  const { problems, held, nodes, leader } = parsed(answer);
  expect(problems).toEqual([expect.stringContaining("no leader"), expect.stringContaining("no valid policy")]);
  expect(leader).toEqual({ alive: false, leading: false });
  expect(nodes).toMatchObject([{ name: "young-1", state: "young", inStartup: 0 }]);
  expect(held).toMatchObject([{ namespace: "default", name: "waits", node: "young-1", reason: "StartupSlotsFull" }]);
  const { stdout } = await status();
  expect(stdout).toMatch(/^default\/waits +young-1 +\d+s +StartupSlotsFull/m);
  expect(stdout).toContain("problem: no leader is alive");
});

test("shows only the namespace and the node that were asked for", async () => {
  expect(parsed(await status("--json", "-n", "elsewhere")).held).toEqual([]);
  expect(parsed(await status("--json", "--node", "elsewhere"))).toMatchObject({ nodes: [], held: [] });
});

test("with a leader it exits 0, and a replica asked by --url shows the same", async () => {
  await installAccess(plane.client, fixedPolicy(3, { mode: "off" }));
  const service = await startServiceProcess(plane);
  await eventually("it leads", async () => (await service.get("/metrics")).text.includes("paceline_leader 1\n"));
  const read = await eventually("the leader has published its limits", async () => {
    const answer = await status("--json");
    expect(answer.code, answer.stdout + answer.stderr).toBe(0);
    return parsed(answer).nodes[0]?.limit === undefined ? undefined : answer;
  });
  await writeFile(join(plane.folder, "ca.crt"), plane.caCert);
  const asked = await status("--json", "--url", service.url, "--ca-file", join(plane.folder, "ca.crt"));
  expect(asked.code, asked.stdout + asked.stderr).toBe(0);
  const figures = ({ mode, nodes }: Printed) => ({ mode, nodes: nodes.map(({ name, limit }) => ({ name, limit })) });
  expect(figures(parsed(asked))).toEqual(figures(parsed(read)));
  expect(parsed(asked).leader).toMatchObject({ alive: true, leading: true });
});

test("an address where nothing answers exits 2 and is named", async () => {
  const answer = await status("--url", "http://127.0.0.1:1");
  expect(answer.code).toBe(2);
  expect(answer.stderr).toContain("http://127.0.0.1:1");
});
