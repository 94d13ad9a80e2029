/** The body of a thread: one run, answered by a message. */
import { parentPort, workerData } from "node:worker_threads";
import { runStrategy } from "./run.ts";
import { type RunOptions } from "./strategy.ts";

parentPort?.postMessage(runStrategy(workerData as RunOptions));
