/** An OCI registry on loopback (crane's), which keeps what it is given in memory. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "../control-plane/ports.ts";
import { findTool } from "../go-tools.ts";

/** How often it is asked whether it answers yet, ms. */
const ASK_MS = 50;

export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`; it speaks plain HTTP. */
  readonly host: string;
}

/** Starts it, and waits until it answers. Disposing ends it. @throws when it ends before it answers */
export async function startRegistry(): Promise<Registry> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const crane = spawn(await findTool("crane"), ["registry", "serve", "--address", host], { stdio: "ignore" });
  const ended = once(crane, "exit");
  const stop = async () => {
    crane.kill("SIGKILL");
    await ended;
  };
  try {
    await untilAnswering(crane, `http://${host}/v2/`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, [Symbol.asyncDispose]: stop };
}

async function untilAnswering(crane: ChildProcess, url: string): Promise<void> {
  const answers = () =>
    fetch(url).then(
      (response) => response.ok,
      () => false,
    );
  while (!(await answers())) {
    if (crane.exitCode !== null) throw new Error(`crane registry serve ended with ${crane.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}
