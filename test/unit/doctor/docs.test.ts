import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findingCodes } from "../../../src/doctor/finding-codes.ts";
import { janitorRights } from "../../../src/doctor/gather/accounts.ts";
import { type Right, serviceRights } from "../../../src/doctor/gather/rights.ts";
import { recordsOf, textOf, textsOf } from "../../../src/kube/parse/kube-json.ts";
import { configDocuments } from "../../../dev/install.ts";

describe("docs and code agree", () => {
  it("docs/doctor.md lists exactly the existing findings, and why they matter", () => {
    const page = readFileSync(new URL("../../../docs/doctor.md", import.meta.url), "utf8");
    const entries = page.matchAll(/^- \*\*`(\w+)`\*\*: (.+(?:\n {2}.+)*)$/gm);
    const rows = [...entries].map(([, code, why = ""]) => [code, why.replaceAll(/\s+/g, " ")]);
    expect(rows).toEqual(Object.entries(findingCodes));
  });

  it.each([
    ["rbac.yaml", serviceRights("paceline")],
    ["janitor.yaml", janitorRights("paceline")],
  ] as const)("the rights that doctor checks are those that webhook-config/%s grants", async (file, rights) => {
    const granted = (await configDocuments(file))
      .filter(({ kind }) => kind === "ClusterRole" || kind === "Role")
      .flatMap((role) => recordsOf(role["rules"]).flatMap((rule) => rightsOf(rule, role.kind === "Role")));
    const asked = rights.map(
      ({ verb, group = "", resource, name = "", namespace }: Right) =>
        `${verb} ${group}/${resource}/${name} ${namespace === undefined}`,
    );
    expect(asked.sort()).toEqual(granted.sort());
  });
});

function rightsOf(rule: Readonly<Record<string, unknown>>, namespaced: boolean): string[] {
  const names = textsOf(rule["resourceNames"]);
  return textsOf(rule["verbs"]).flatMap((verb) =>
    textsOf(rule["resources"]).flatMap((resource) =>
      (names.length > 0 ? names : [""]).map(
        (name) => `${verb} ${textOf(textsOf(rule["apiGroups"])[0])}/${resource}/${name} ${!namespaced}`,
      ),
    ),
  );
}
