/** Forms in which chats, mails and log stores hand on what kubectl and nodes said. */
import { describe, expect, it } from "vitest";
import { auditEvent, diagnosed, PROC0 } from "./inputs.ts";
import { kubeletLine, proc0, wrappings } from "./wrappings.ts";

const described = wrappings["kubectl describe pod"]?.(proc0) ?? "";
const yaml = wrappings["Event as YAML"]?.(proc0) ?? "";
const audit = JSON.stringify(auditEvent());
const quoted = (text: string) => text.trimEnd().replaceAll(/^/gm, "> ");

describe("what people and stores pass on is read", () => {
  it.each([
    ["describe, quoted", quoted(described)],
    ["YAML, quoted", quoted(yaml)],
    ["describe with tabs", described.replaceAll(/ {2,}/g, "\t")],
    ["describe with NBSP", described.replaceAll(" ", "\u00a0")],
    [
      "Events without their rule, of an invalid age",
      described.replace(/^ {2}-.*\n/m, "").replace(" 2m ", " <invalid> "),
    ],
    [
      "columns TIME NODE POD MSG",
      `TIME                   NODE      POD     MSG\n2026-11-24T08:08:17Z   young-1   web-0   Error: ${PROC0}\n`,
    ],
    [
      "columns LAST REASON OBJ MESSAGE",
      `LAST                   REASON   OBJ         MESSAGE\n2026-11-24T08:08:17Z   Failed   pod/web-0   Error: ${PROC0}\n`,
    ],
    [
      "columns in the words of the API",
      `lastTimestamp          involvedObject   reason   message\n2026-11-24T08:08:17Z   web-0            Failed   Error: ${PROC0}\n`,
    ],
    [
      "Datadog, an audit event beside any message",
      JSON.stringify({
        data: [{ attributes: { timestamp: "2026-11-24T08:08:17Z", message: "x", attributes: auditEvent() } }],
      }),
    ],
    ["logcli", `2026-11-24T08:08:17+00:00 {job="audit", stream="stderr"} ${audit}\n`],
    [
      "a container's log file, its line in parts",
      `2026-11-24T08:08:17.5Z stderr P ${audit.slice(0, 700)}\n2026-11-24T08:08:17.6Z stderr F ${audit.slice(700)}\n`,
    ],
  ])("%s", (_, text) => {
    const { failures } = diagnosed(text);
    expect(failures.byFingerprint.NamespacePathProc0).toBe(1);
    expect(failures.total).toBe(1);
  });

  it("a line of a container's log file whose end is missing is named", () => {
    const { skipped, verdict } = diagnosed(`2026-11-24T08:08:17.5Z stderr P ${audit.slice(0, -20)}\n`);
    expect(skipped.byCause).toMatchObject({ torn: 1 });
    expect(verdict.outcome).toBe("unknown");
  });

  it("gcloud's own YAML keeps node and year", () => {
    const text = `---\ninsertId: t\nresource:\n  labels:\n    node_name: young-1\n  type: k8s_node\ntextPayload: ${JSON.stringify(kubeletLine(proc0))}\ntimestamp: '2025-11-24T08:08:17.5Z'\n`;
    const { failures, skipped } = diagnosed(text.repeat(2));
    expect(failures).toMatchObject({ total: 1, byNode: { "young-1": 1 } });
    expect(failures.byHour).toEqual([{ start: "2025-11-24T08:00:00Z", count: 1 }]);
    expect(skipped.lines).toBe(0);
  });
});
