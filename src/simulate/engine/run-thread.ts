/** The body of a worker thread: does one run and sends the result as a message. */
import { parentPort, workerData } from "node:worker_threads";
import { runStrategy } from "./run.ts";
import { type RunOptions } from "./strategy.ts";

parentPort?.postMessage(runStrategy(workerData as RunOptions));
