/** From what a source says of a failed start, its reason and its message, to the fingerprint. One for all sources. */
import type { Fingerprint } from "./fingerprints.ts";
import { causeOf, rules, RUNTIME_REFUSED, type Step } from "./rules.ts";

/** What a source says. */
export interface Told {
  /** As the API has it: of a container's state or of an Event; "" where the message has all, as in logs. */
  readonly reason: string;
  /** Whole: what is cut may lack the words that matter. */
  readonly message: string;
}

export interface Classified {
  readonly fingerprint: Fingerprint;
  /** A StartError that the image or the manifest explains: pacing would not help. */
  readonly misconfigured: boolean;
}

/** The step that failed, by the reason that the API gives it. */
const stepByReason: Readonly<Record<string, Step>> = {
  ErrImagePull: "pull",
  ImagePullBackOff: "pull",
  RegistryUnavailable: "pull",
  ImageInspectError: "pull",
  FailedCreatePodSandBox: "sandbox",
  FailedCreatePodSandbox: "sandbox",
  CreatePodSandboxError: "sandbox",
  StartError: "container",
  ContainerCannotRun: "container",
  RunContainerError: "container",
  CreateContainerError: "container",
};

/** Failures that are configuration, or the program's own, whatever the message says. */
const unrelated = new Set([
  ...["InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull"],
  ...["InspectFailed", "OOMKilling", "OOMKilled", "SystemOOM"],
]);

const PULL_TEXT =
  /ErrImagePull|ImagePullBackOff|[Ff]ailed to pull|PullImage|[Pp]ulling image|pull (?:and unpack )?image|pull from host|image pull/;
const SANDBOX_TEXT =
  /RunPodSandbox|CreatePodSandbox|[Cc]reate (?:pod )?sandbox|start sandbox container|(?:setup|set up) network for sandbox|failed to (?:setup|set up) network for pod/i;
const CONTAINER_TEXT =
  /StartContainer|CreateContainer|RunContainer|[Cc]ontainer start failed|start failed in pod|create containerd (?:container|task)|shim task|runc create failed|OCI runtime create failed|reason=\\*"?Failed\b/;
/** A pull that failed, where the reason does not say so. */
const PULL_FAILED =
  /ErrImagePull|ImagePullBackOff|[Ff]ailed to pull image|PullImage .{0,400}failed|Back-off pulling image/;
const SANDBOX_FAILED = /with CreatePodSandboxError|RunPodSandbox .{0,400}failed|Failed to create (?:pod )?sandbox/;
const KILLED = /TaskOOM|OOMKill|oom-kill|Out of memory: Kill/;
/** The kubelet's waiting reason with a message behind it. */
const RUN_ERROR_TOLD = /RunContainerError\\*"?: ./;

const one = (fingerprint: Fingerprint): Classified => ({ fingerprint, misconfigured: false });

/** Words without which no text by itself tells of a failure: one look spares most lines of a log all others. */
const HINT = new RegExp(
  [
    ...rules.filter(({ step }) => step === undefined).map(({ text }) => text),
    ...[PULL_TEXT, SANDBOX_TEXT, CONTAINER_TEXT, KILLED],
  ]
    .map(({ source }) => source)
    .join("|"),
  "i",
);

/** The fingerprint, or undefined when this tells of no failed start, or only of the consequence of one. */
export function classify(told: Told): Classified | undefined {
  const { reason, message } = told;
  if (reason === "" && !HINT.test(message)) return undefined;
  const step = stepOf(told);
  const rule = rules.find((each) => (each.step === undefined || each.step === step) && each.text.test(message));
  if (rule) return rule.fingerprint === "OtherStartError" ? startError(message) : one(rule.fingerprint);
  if (unrelated.has(reason)) return one("Unrelated");
  switch (step) {
    case "pull":
      return stepByReason[reason] === "pull" || PULL_FAILED.test(message) ? one("ImagePullBackOff") : undefined;
    case "sandbox":
      return sandboxFailure(told);
    case "container":
      return containerFailure(told);
    case undefined:
      if (reason === "Failed") return one("Unrelated");
      return KILLED.test(message) ? one("Unrelated") : undefined;
  }
}

/** Words in the message tell the step better than a reason such as `Failed`, which stands for all. */
function stepOf({ reason, message }: Told): Step | undefined {
  const byReason = stepByReason[reason];
  if (byReason === "pull" || PULL_TEXT.test(message)) return "pull";
  if (byReason !== undefined) return byReason;
  if (SANDBOX_TEXT.test(message)) return "sandbox";
  return reason === "Failed" || CONTAINER_TEXT.test(message) ? "container" : undefined;
}

/** A sandbox is a container as well: what the runtime refuses there counts as it does for any other. */
function sandboxFailure({ reason, message }: Told): Classified | undefined {
  if (stepByReason[reason] !== "sandbox" && !SANDBOX_FAILED.test(message)) return undefined;
  return RUNTIME_REFUSED.test(message) && causeOf(message) === "unknown"
    ? startError(message)
    : one("OtherSandboxError");
}

function containerFailure({ reason, message }: Told): Classified | undefined {
  const isRefused = RUNTIME_REFUSED.test(message) && /fail|error|caused/i.test(message);
  if (isRefused || reason === "StartError" || reason === "ContainerCannotRun") return startError(message);
  if (reason === "RunContainerError" && message !== "") return startError(message);
  if (RUN_ERROR_TOLD.test(message)) return startError(message);
  if (KILLED.test(message)) return one("Unrelated");
  return reason === "Failed" || (reason === "CreateContainerError" && message !== "") ? one("Unrelated") : undefined;
}

/** Pacing helps against what nothing else explains. */
function startError(message: string): Classified {
  const cause = causeOf(message);
  if (cause === "setup") return one("Unrelated");
  return { fingerprint: "OtherStartError", misconfigured: cause === "manifest" };
}
