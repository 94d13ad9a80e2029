/** Starts a worker thread that does runs. The bundle has another one in its place (dev/bundle/). */
import { Worker, type WorkerOptions } from "node:worker_threads";

export const startThread = (options: WorkerOptions): Worker =>
  new Worker(new URL("run-thread.ts", import.meta.url), options);
