/** From `npm ci` to the first observed hold on the playground: `npm run cluster` with Paceline beside it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Agent, request } from "undici";
import { firstObservedHold } from "./observed.ts";
import { type Step, timed } from "./step.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

export async function playgroundPath(): Promise<Step[]> {
  const cluster = spawn(
    process.execPath,
    [join(ROOT, "dev/cluster.ts"), ...["--nodes", "5", "--paceline", "observe", "--json"]],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(cluster, "exit");
  const agent = new Agent({ connect: { rejectUnauthorized: false } }); // as curl -k
  try {
    let line = "{}";
    const up = await timed("npm run cluster -- --nodes 5 --paceline observe", async () => {
      [line = "{}"] = (await once(createInterface(cluster.stdout), "line")) as [string];
    });
    const { kubeconfig, kubectl, paceline } = JSON.parse(line) as Record<string, string>;
    const herd = ["create", "deployment", "herd", "--image=example.com/app:1", "--replicas=200"];
    const created = await timed(`kubectl ${herd.join(" ")}`, () =>
      run(kubectl ?? "kubectl", ["--kubeconfig", kubeconfig ?? "", ...herd]),
    );
    const seen = await timed("until `paceline_observed_holds_total` counts the first hold", () =>
      firstObservedHold(async () => (await request(`${paceline ?? ""}/metrics`, { dispatcher: agent })).body.text()),
    );
    return [up, created, seen];
  } finally {
    await agent.destroy();
    cluster.kill("SIGINT");
    await ended;
  }
}
