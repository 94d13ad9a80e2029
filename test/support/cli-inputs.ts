/** What the commands are given where another build of the program must answer as the sources do. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { auditEvent } from "../unit/diagnose/inputs.ts";

/** As many pods as it takes for the simulator to use threads; small ones, so that it does not take long. */
const MANY_PODS = `
nodes: [{ count: 50, memoryGib: 16 }]
images: [{ name: small, mib: 1, layers: 1 }]
workloads: [{ name: many, replicas: 2000, images: [small], startCpuSeconds: 0.1 }]
`;

/** Writes them into `folder`. @returns the words of one command each, by name */
export async function writeCliInputs(folder: string) {
  const [audit, many] = [join(folder, "audit.log"), join(folder, "many.yaml")];
  await writeFile(audit, `${JSON.stringify(auditEvent())}\n`);
  await writeFile(many, MANY_PODS);
  return {
    diagnose: ["diagnose", audit, "--html", join(folder, "report.html")],
    simulate: ["simulate", "--scenario", "rollout-small", "--json"],
    simulateByThreads: ["simulate", "--scenario", many, "--json"],
  } as const;
}
