/** The body of a thread: one run, answered by a message. */
import { parentPort, workerData } from "node:worker_threads";
import { type RunOptions, runStrategy } from "./run.ts";

parentPort?.postMessage(runStrategy(workerData as RunOptions));
