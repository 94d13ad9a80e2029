/** The body of a worker thread: runs the campaigns that it is sent, one after another. */
import { parentPort } from "node:worker_threads";
import { bugs } from "./bugs.ts";
import { runCampaign } from "./campaign.ts";
import type { CampaignTask, ThreadMessage } from "./threads.ts";

const say = (message: ThreadMessage) => parentPort?.postMessage(message);

async function run({ bug, ...options }: CampaignTask): Promise<void> {
  const campaign = await runCampaign({
    ...options,
    bug: bug === undefined ? undefined : bugs.find(({ name }) => name === bug),
    onRun: (seeds) => say({ kind: "ran", seeds }),
  });
  say({ kind: "done", campaign });
}

parentPort?.on("message", (task: CampaignTask) => void run(task));
