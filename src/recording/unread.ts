/** What of the input is missing in a recording: for the reports of replay and prewarm, in the words of diagnose. */
import { causeWords, unreadCauses } from "../diagnose/findings/sink.ts";
import { readJson, skippedJson } from "../diagnose/report/json.ts";
import type { ReadRecording } from "./read-recording.ts";

/** Beyond this, what was not read may well be a part of a herd: as many of its pods may lack something (replay). */
const LARGE_SHARE = 0.05;
/** These keep what came behind from being read, and nothing tells how much that was. */
const missingCauses = [...unreadCauses, "truncatedGzip"] as const;

/** One note for each kind of thing that is missing, each of one sentence or two; none: all was read. */
export function missingNotes({ recording, unusable, account, skipped }: ReadRecording): readonly string[] {
  const { lostPods } = recording;
  const causes = missingCauses.flatMap((cause) => {
    const count = skipped[cause] ?? 0;
    return count > 0 ? [`${count} × ${causeWords(cause)}`] : [];
  });
  const isLarge = account.unreadShare > LARGE_SHARE || (skipped["truncatedGzip"] ?? 0) > 0;
  const effect = isLarge
    ? " Herds may be incomplete, and the figures with them."
    : " What it told is not in the herds.";
  return [
    ...(unusable.length > 0 ? [`Nothing usable in ${unusable.map(({ name }) => name).join(", ")}.`] : []),
    ...(causes.length > 0 ? [`Not read${shareWords(account.unreadShare)}: ${causes.join("; ")}.${effect}`] : []),
    ...(lostPods > 0 ? [`${lostPods} pods beyond those that fit into memory are left out.`] : []),
  ];
}

/** In whole percent, where there are some. */
const shareWords = (share: number) => (share >= 0.01 ? ` (${Math.floor(share * 100)} % of the input)` : "");

/** As in diagnose's report. */
export const missingJson = ({ account, skipped }: ReadRecording) => ({
  read: readJson(account),
  skipped: skippedJson(skipped),
});
