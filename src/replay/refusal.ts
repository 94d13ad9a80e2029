/** Why there is no forecast before anything was simulated: it would rest on what was not read. */
import { type Herd, leftOutOf } from "../recording/herd.ts";
import type { HerdScenario } from "../recording/herd-scenario.ts";

/** This share of a herd's pods may lack something: they are left out, or assumed to be like the others. */
const SPARE_SHARE = 0.05;
/** Pods held by Paceline beyond this share: the recording shows no herd all at once. */
const GATED_SHARE = 0.1;

/** One sentence for each reason, with what would help; none: nothing stands against a forecast. */
export function missingParts(herd: Herd, built: HerdScenario): readonly string[] {
  const { pods, leftOut } = herd;
  const all = pods.length + leftOutOf(herd);
  const share = (count: number) => count / Math.max(1, all);
  const gated = pods.filter((pod) => pod.gated).length;
  const withoutRunning = pods.filter(({ runningMs }) => runningMs === undefined).length;
  const reasons: readonly (readonly [boolean, string])[] = [
    [
      share(leftOut.notReady) > SPARE_SHARE,
      `${leftOut.notReady} of ${all} pods are never Ready in the recording: it ends before the herd does, or its audit policy leaves out what kubelets write of pods (patches of pods/status at level Request)`,
    ],
    [
      share(leftOut.done) > SPARE_SHARE,
      `${leftOut.done} of ${all} pods ended before they were ever Ready, as Jobs do: they loaded disk and kubelet, and are not in the model`,
    ],
    [
      share(leftOut.ended) > SPARE_SHARE,
      `${leftOut.ended} of ${all} pods were evicted, preempted, deleted or refused, and nothing tells that they were Ready before: they are not in the model`,
    ],
    [
      share(leftOut.noObject) > SPARE_SHARE,
      `of ${leftOut.noObject} of ${all} pods no object was read, so their images are unknown: add the output of kubectl get pods -A -o json, or an audit log that has the creation of pods at level Request`,
    ],
    [
      share(built.podsOfUnknownSize) > SPARE_SHARE,
      `the sizes of ${built.unknownSizes.length} of ${built.images.size} images are unknown, and ${built.podsOfUnknownSize} pods use them: add the output of kubectl get nodes -o json`,
    ],
    [
      built.unknownMachines.length > 0,
      `cores and memory of ${built.unknownMachines.slice(0, 3).join(", ")} are unknown: add the output of kubectl get nodes -o json, or say them in a file (--class of replay, --machines of prewarm)`,
    ],
    [share(gated) > GATED_SHARE, `Paceline held ${gated} of ${all} pods: this is no recording of a herd all at once`],
    [
      share(withoutRunning) > 0.5,
      `of ${withoutRunning} pods it is not told when their containers ran, so their own start is unknown`,
    ],
  ];
  return reasons.flatMap(([stands, sentence]) => (stands ? [sentence] : []));
}
