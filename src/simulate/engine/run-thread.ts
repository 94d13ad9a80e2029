/** The body of a worker thread: does each run that it gets, and answers with the result. */
import { parentPort } from "node:worker_threads";
import { runStrategy } from "./run.ts";
import type { RunOptions } from "./strategy.ts";

parentPort?.on("message", (options: RunOptions) => parentPort?.postMessage(runStrategy(options)));
