/** One step of a stranger, and how long it took. */
export interface Step {
  readonly what: string;
  readonly seconds: number;
}

/** Does the step; its name is shown as code. */
export async function timed(command: string, work: () => unknown): Promise<Step> {
  const fromMs = performance.now();
  await work();
  return { what: command.startsWith("until ") ? command : `\`${command}\``, seconds: elapsed(fromMs) };
}

const elapsed = (fromMs: number) => Math.round((performance.now() - fromMs) / 100) / 10;
