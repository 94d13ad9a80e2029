import fc from "fast-check";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { parsePolicy, parsePolicyConfigMap, type PolicyError } from "../../../src/policy/parse.ts";

const HEADER = "apiVersion: paceline.dev/v1alpha1\nkind: PacingPolicy\n";
const example = await readFile(new URL("../../../dev/docs/example-policy.yaml", import.meta.url), "utf8");

/** The errors of a whole text; empty if it is a valid policy. */
function errorsOf(text: string): readonly PolicyError[] {
  const result = parsePolicy(text);
  return result.ok ? [] : result.errors;
}

/** The errors (path → message) of a text after the two required lines. */
function problems(text: string): Record<string, string> {
  return Object.fromEntries(errorsOf(HEADER + text).map(({ path, message }) => [path, message]));
}

describe("errors", () => {
  it("come all at once, in reading order, each with its path, place and remedy", () => {
    const text = [
      "mode: of",
      "maxHoldSeconds: 541",
      "startup: {until: Started, deadlineSeconds: 0}",
      "nodeClasses:",
      "  - name: Big",
      "    slots: {initial: 9, min: 5, max: 2, mim: 1}",
      "    drainSeconds: 120",
      "  - name: big",
      "  - name: big",
      "fence:",
      'gate: {enabled: "yes"}',
      "telemetry: {source: none, port: 9100}",
    ].join("\n");
    const errors = errorsOf(HEADER + text);
    expect(errors.map(({ path, line }) => [path, line])).toEqual([
      ["mode", 3],
      ["maxHoldSeconds", 4],
      ["startup.until", 5],
      ["startup.deadlineSeconds", 5],
      ["nodeClasses[0].name", 7],
      ["nodeClasses[0].selector", 7],
      ["nodeClasses[0].slots.min", 8],
      ["nodeClasses[0].slots.mim", 8],
      ["nodeClasses[0].drainSeconds", 9],
      ["nodeClasses[1].selector", 10],
      ["nodeClasses[2].name", 11],
      ["fence", 12],
      ["gate.enabled", 13],
      ["telemetry.port", 14],
    ]);
    expect(errors[0]?.message).toBe('mode: is "of"; write one of enforce, observe, off (line 3, column 1)');
    expect(errors[1]?.message).toBe("maxHoldSeconds: is 541; write at most 540 (line 4, column 1)");
    expect(errors[7]?.message).toBe(
      "nodeClasses[0].slots.mim: is an unknown key; did you mean min? (line 8, column 41)",
    );
    expect(errors[12]?.message).toBe('gate.enabled: is "yes"; write true or false without quotes (line 13, column 8)');
  });

  it("say what is missing in an empty text, in a ConfigMap without the key and in a policy without header", () => {
    expect(errorsOf("")[0]?.message).toContain("is empty; write at least apiVersion: paceline.dev/v1alpha1");
    const withoutKey = parsePolicyConfigMap({ data: { "policy.yml": HEADER } });
    expect(withoutKey.ok ? [] : withoutKey.errors[0]?.message).toContain('put it under data["policy.yaml"]');
    expect(parsePolicyConfigMap({}).ok).toBe(false);
    expect(parsePolicyConfigMap({ data: { "policy.yaml": 7 } }).ok).toBe(false);
    expect(parsePolicyConfigMap({ data: { "policy.yaml": HEADER } }).ok).toBe(true);
    expect(errorsOf("mode: off").map(({ message }) => message)).toEqual([
      "apiVersion: is missing; write paceline.dev/v1alpha1 (line 1, column 1)",
      "kind: is missing; write PacingPolicy (line 1, column 1)",
    ]);
  });

  it.each([
    ["mode: off\nmode: enforce", "is not valid YAML: Map keys must be unique (line 4, column 1)"],
    ["gate: {enabled: true", "is not valid YAML"],
    ["---\nmode: off", "holds more than one document; keep one (line 3, column 1)"],
    ["gate: *nothing", "Unresolved alias"],
  ])("are told of YAML itself: %j", (text, message) => {
    expect(errorsOf(HEADER + text)[0]?.message).toContain(message);
  });

  it("stop at a hundred, and at a text that is too long for a policy", () => {
    const wild = Array.from({ length: 300 }, (_, index) => `key${index}: 1`).join("\n");
    const errors = errorsOf(HEADER + wild);
    expect(errors).toHaveLength(101);
    expect(errors.at(-1)?.message).toBe("the policy: has 200 more errors");
    expect(errorsOf(`${HEADER}#${"x".repeat(70_000)}`)[0]?.message).toContain("is longer than 65536 characters");
  });
});

describe("rules between keys", () => {
  it.each([
    ["slots: {min: 8, max: 4}", "nodeClasses[0].slots.min", "is 8, above max (4)"],
    ["slots: {initial: 2, min: 3}", "nodeClasses[0].slots.initial", "is 2, outside min to max (3 to 32)"],
    ["slots: {initial: 6, max: 5}", "nodeClasses[0].slots.initial", "is 6, outside min to max (1 to 5)"],
    ["slots: {min: 0}", "nodeClasses[0].slots.min", "write at least 1"],
    ["drainSeconds: 120", "nodeClasses[0].drainSeconds", "write less than 120"],
    ["slots: {initial: 1.5}", "nodeClasses[0].slots.initial", "write a whole number"],
    ["slots: {initial: .inf}", "nodeClasses[0].slots.initial", "is Infinity; write a"],
  ])("a class with %s is refused at %s", (settings, path, message) => {
    expect(problems(`nodeClasses: [{name: a, ${settings}}]`)[path]).toContain(message);
  });

  it("a class that says nothing of initial takes every min and max: its nodes start by their cores, within them", () => {
    for (const bounds of ["{max: 5}", "{min: 40, max: 50}"]) {
      const parsed = parsePolicy(`${HEADER}nodeClasses: [{name: a, slots: ${bounds}}]`);
      expect(parsed).toMatchObject({ ok: true });
    }
  });

  it("a class that hides those after it, and a default that takes a selector, are refused", () => {
    expect(problems("nodeClasses: [{name: a, selector: {}}, {name: b}]")["nodeClasses[0].selector"]).toContain(
      "move this class last",
    );
    expect(
      problems("nodeClasses: [{name: default, selector: {matchLabels: {a: b}}}]")["nodeClasses[0].selector"],
    ).toContain("is not for the class default");
    expect(problems("nodeClasses: [{name: a, selector: {matchLabels: {a: b}}}, {name: default}]")).toEqual({});
  });

  it.each([
    ["schedulerNames: []", "schedulerNames", "would leave every pod alone"],
    ["exempt: {podSelector: {}}", "exempt.podSelector", "would exempt every pod"],
    ["exempt: {podSelector: {matchLabels: {}}}", "exempt.podSelector", "would exempt every pod"],
    ["exempt: {minPriority: 2000000001}", "exempt.minPriority", "at most 2000000000"],
    ["fence: {nodeSelector: {matchLabels: {a: true}}}", "fence.nodeSelector.matchLabels.a", "write text, in quotes"],
    ["fence: {nodeSelector: {matchLabels: {-a: b}}}", "fence.nodeSelector.matchLabels.-a", "is not a label key"],
    [
      "fence: {nodeSelector: {matchExpressions: [{key: a, operator: In, values: []}]}}",
      "fence.nodeSelector.matchExpressions[0].values",
      "use Exists",
    ],
    [
      "fence: {nodeSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
      "fence.nodeSelector.matchExpressions[0].values",
      "is an unknown key",
    ],
    ["telemetry: {source: graphite}", "telemetry.source", "write one of node-exporter, prometheus, kubelet, none"],
    ["telemetry: {timeoutMs: 2000}", "telemetry.timeoutMs", "is above intervalMs"],
    ["telemetry: {staleSeconds: 60}", "telemetry.absentSeconds", "is below staleSeconds"],
    ["telemetry: {intervalMs: 6000}", "telemetry.staleSeconds", "is below intervalMs"],
    [
      "telemetry: {source: prometheus, url: 'http://p', tls: {caFile: /ca.crt}}",
      "telemetry.tls",
      "write it with https",
    ],
    ["telemetry: {tls: {caFile: /ca.crt}}", "telemetry.tls", "set scheme to https"],
    ["telemetry: {scheme: https, tls: {certFile: /tls.crt}}", "telemetry.tls.keyFile", "certFile needs it"],
    ["telemetry: {scheme: https, tls: {caFile: ca.crt}}", "telemetry.tls.caFile", "is not an absolute path"],
    ["telemetry: {device: '('}", "telemetry.device", "is not a regular expression"],
    ["telemetry: {address: {type: Endpoints, namespace: m}}", "telemetry.address.service", "name the Service"],
    [
      "telemetry: {address: {type: Endpoints, namespace: m, service: s, labelSelector: {matchLabels: {a: b}}}}",
      "telemetry.address.labelSelector",
      "keep one of them",
    ],
    ["telemetry: {address: {type: ExternalIP}}", "telemetry.address.type", "write one of InternalIP, Endpoints"],
    ["telemetry: {source: prometheus}", "telemetry.url", "is missing; write text"],
    ["telemetry: {source: prometheus, url: 'ftp://p'}", "telemetry.url", "is not an http or https URL"],
    ["telemetry: {source: prometheus, url: 'http://me:hunter2@p'}", "telemetry.url", "move it to basicAuth"],
    ["telemetry: {source: prometheus, url: 'http://p', selector: '{a=\"b\"}'}", "telemetry.selector", "without braces"],
    [
      "telemetry: {source: prometheus, url: 'http://p', bearerTokenFile: /t, basicAuth: {username: a, passwordFile: /p}}",
      "telemetry.basicAuth",
      "keep one of them",
    ],
  ])("%s is refused at %s", (text, path, message) => {
    expect(problems(text)[path]).toContain(message);
  });

  it("accepts label matchers with several labels and quoted quotes", () => {
    const selector = 'job="node", cluster=~"a\\"{b}"';
    expect(problems(`telemetry: ${JSON.stringify({ source: "prometheus", url: "http://p/sub", selector })}`)).toEqual(
      {},
    );
  });

  it("does not repeat a secret from the URL", () => {
    expect(JSON.stringify(problems("telemetry: {source: prometheus, url: 'http://me:hunter2@p'}"))).not.toContain(
      "hunter2",
    );
  });
});

/** Known keys that the example leaves out somewhere. A random word could be one of them. */
const optionalKeys = new Set(
  "awaitMs certFile device drainSeconds keyFile labelSelector matchExpressions matchLabels max min namespace pullQPS selector service slots unpackRatio values".split(
    " ",
  ),
);

/** Every object of the example with its path. A stray key can be put into each. */
function objectsIn(value: unknown, path = ""): { path: string; object: Record<string, unknown> }[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => objectsIn(item, `${path}[${index}]`));
  const object = value as Record<string, unknown>;
  const inner = Object.entries(object).flatMap(([key, child]) =>
    objectsIn(child, path === "" ? key : `${path}.${key}`),
  );
  return path.endsWith("matchLabels") ? inner : [{ path, object }, ...inner];
}

describe("any text", () => {
  it("an unknown key is refused with its path, at any place", () => {
    const places = objectsIn(parse(example)).length;
    const stray = fc.oneof(
      fc.stringMatching(/^[a-z][A-Za-z]{0,12}$/),
      fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "x-y"),
    );
    fc.assert(
      fc.property(fc.nat(places - 1), stray, fc.jsonValue(), (place, key, value) => {
        const policy = parse(example) as unknown;
        const target = objectsIn(policy)[place];
        if (target === undefined) throw new Error("the example has fewer objects than counted");
        fc.pre(!Object.hasOwn(target.object, key) && !optionalKeys.has(key));
        Object.defineProperty(target.object, key, { value, enumerable: true });
        const path = target.path === "" ? key : `${target.path}.${key}`;
        const found = errorsOf(stringify(policy)).find((error) => error.path === path);
        expect(found?.message).toContain("is an unknown key");
        expect(found?.line).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });

  it("a policy survives being written out and read again", () => {
    const seconds = (max: number) => fc.integer({ min: 1, max });
    const policies = fc.record(
      {
        mode: fc.constantFrom("enforce", "observe", "off"),
        maxHoldSeconds: seconds(540),
        youngForSeconds: seconds(86_400),
        fence: fc.record({ enabled: fc.boolean(), maxSeconds: seconds(3600) }, { requiredKeys: [] }),
        exempt: fc.record({ namespaces: fc.array(fc.stringMatching(/^[a-z]{1,8}$/)) }, { requiredKeys: [] }),
        nodeClasses: fc.uniqueArray(
          fc.record({
            name: fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z])?$/),
            selector: fc.constant({ matchLabels: { disk: "nvme" } }),
            slots: fc.record({ initial: fc.integer({ min: 6, max: 32 }), max: fc.integer({ min: 32, max: 1000 }) }),
            drainSeconds: fc.double({ min: 1, max: 119.9, noNaN: true }),
          }),
          { selector: ({ name }) => name, maxLength: 5 },
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(policies, (settings) => {
        const first = parsePolicy(HEADER + stringify(settings));
        if (!first.ok) throw new Error(first.errors[0]?.message);
        expect(parsePolicy(stringify(first.policy))).toEqual(first);
        expect(parsePolicy(JSON.stringify(first.policy))).toEqual(first);
      }),
    );
  });

  it("never throws, and refuses with at least one error", () => {
    const yamlLike = fc
      .array(
        fc.constantFrom(..."a:1-[]{}&*!|>'\"%@`#,? \n\t".split(""), "mode: ", "nodeClasses:", "- name: ", "<<: "),
        { maxLength: 60 },
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), yamlLike, fc.json()), (text) => {
        const errors = [...errorsOf(text), ...errorsOf(HEADER + text)];
        for (const { message } of errors) expect(message).not.toBe("");
        expect(parsePolicy(text).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["deep nesting", "[".repeat(60_000)],
    [
      "aliases that multiply",
      `a: &a [1]\n${"bcdefghij"
        .split("")
        .map((key, index) => `${key}: &${key} [${`*${"abcdefghi".charAt(index)},`.repeat(9)}]`)
        .join("\n")}`,
    ],
    ["a map that holds itself", "&self {mode: *self, fence: *self}"],
    ["many empty classes", `nodeClasses: [${"{},".repeat(20_000)}]`],
  ])("is refused without harm: %s", (_, text) => {
    expect(errorsOf(text).length).toBeGreaterThan(0);
  });
});
