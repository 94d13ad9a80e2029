/** Campaigns on all cores: runs are independent, so each thread takes the next campaign when it has done one. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Campaign } from "./campaign.ts";

/** A campaign that a thread can be sent. Its bug goes by name (bugs.ts). */
export interface CampaignTask {
  readonly bug?: string | undefined;
  readonly firstSeed: number;
  readonly seeds: number;
  readonly mostFailures?: number | undefined;
}

/** What a thread says: how many runs of its campaign are done, and at last what came of them. */
export type ThreadMessage =
  { readonly kind: "ran"; readonly seeds: number } | { readonly kind: "done"; readonly campaign: Campaign };

export interface OnThreads {
  readonly onRan?: (task: CampaignTask, seeds: number) => void;
  readonly onDone?: (task: CampaignTask, campaign: Campaign) => void;
  /** Ends all threads; campaigns that are not done are left out. */
  readonly signal?: AbortSignal;
}

/** @returns the campaigns that were done, in the order of their tasks */
export async function runOnThreads(tasks: readonly CampaignTask[], on: OnThreads): Promise<readonly Campaign[]> {
  const waiting = [...tasks];
  const done = new Map<CampaignTask, Campaign>();
  const work = async () => {
    const worker = new Worker(new URL("campaign-thread.ts", import.meta.url));
    const ended = new Promise<never>((_, reject) => {
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`a thread ended with code ${code}`)));
    });
    const end = () => void worker.terminate();
    on.signal?.addEventListener("abort", end, { once: true });
    try {
      for (let task = waiting.shift(); task && !on.signal?.aborted; task = waiting.shift()) {
        const campaign = await Promise.race([runTask(worker, task, on), ended]);
        done.set(task, campaign);
        on.onDone?.(task, campaign);
      }
    } catch (error) {
      if (on.signal?.aborted !== true) throw error;
    } finally {
      on.signal?.removeEventListener("abort", end);
      ended.catch(() => undefined);
      end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), tasks.length) }, work));
  return tasks.flatMap((task) => done.get(task) ?? []);
}

function runTask(worker: Worker, task: CampaignTask, { onRan }: OnThreads): Promise<Campaign> {
  return new Promise((resolve) => {
    const hear = (message: ThreadMessage) => {
      if (message.kind === "ran") return onRan?.(task, message.seeds);
      worker.off("message", hear);
      resolve(message.campaign);
    };
    worker.on("message", hear);
    worker.postMessage(task);
  });
}
