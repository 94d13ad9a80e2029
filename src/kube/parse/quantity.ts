/** Kubernetes quantities ("100m", "1.5", "1Gi", "1e3") and sums of them. */
import type { Resources } from "../../core/facts.ts";
import { recordOf } from "./kube-json.ts";

const FORM = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number that a quantity means, or undefined for other values. Plain JSON numbers stay as they are. */
export function quantity(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  const match = typeof value === "string" ? FORM.exec(value) : null;
  if (match === null) return undefined;
  const [, digits = "", exponent = "", suffix = ""] = match;
  const amount = Number(digits + exponent) * (FACTORS[suffix] ?? 1);
  return Number.isFinite(amount) ? amount : undefined;
}

/**
 * Amounts as the core counts them: cpu in millicores, everything else in its base unit, rounded up as the scheduler
 * does. Values that are no quantity or are negative are left out.
 */
export function resources(value: unknown): Resources {
  const amounts: Record<string, number> = {};
  for (const [name, text] of Object.entries(recordOf(value))) {
    const amount = quantity(text);
    if (amount !== undefined && amount >= 0) amounts[name] = roundUp(name === "cpu" ? amount * 1_000 : amount);
  }
  return amounts;
}

/** Sum by resource name. */
export function plus(left: Resources, right: Resources): Resources {
  return combine(left, right, (a, b) => a + b);
}

/** The larger amount by resource name. */
export function atLeast(left: Resources, right: Resources): Resources {
  return combine(left, right, Math.max);
}

function combine(left: Resources, right: Resources, merge: (a: number, b: number) => number): Resources {
  const merged: Record<string, number> = { ...left };
  for (const [name, amount] of Object.entries(right)) merged[name] = merge(merged[name] ?? 0, amount);
  return merged;
}

/** Rounds up, but not 100.00000000000001 millicores (a binary fraction) to 101. */
function roundUp(amount: number): number {
  const nearest = Math.round(amount);
  return Math.abs(amount - nearest) < 1e-6 * Math.max(1, Math.abs(amount)) ? nearest : Math.ceil(amount);
}
