import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atLeast, plus, quantity, resources } from "../../../../src/kube/parse/quantity.ts";

describe("quantities", () => {
  it.each([
    ["100m", 0.1],
    ["1.5", 1.5],
    ["1Gi", 2 ** 30],
    ["1e3", 1_000],
    ["1E3", 1_000],
    ["1E", 1e18],
    ["5k", 5_000],
    ["5M", 5e6],
    [".5", 0.5],
    ["5.", 5],
    ["+2", 2],
    ["128974848", 128_974_848],
    [7, 7],
  ])("reads %s as %d", (text, amount) => expect(quantity(text)).toBeCloseTo(amount, 9));

  it.each(["", "Gi", "1 Gi", "1GiB", "abc", "1e", "--1", null, {}, [], true])("refuses %j", (value) =>
    expect(quantity(value)).toBeUndefined(),
  );

  it("counts cpu in millicores and never rounds a whole amount up", () => {
    const amounts = resources({ cpu: "1.1", memory: "1Gi", "nvidia.com/gpu": "2" });
    expect(amounts).toEqual({ cpu: 1_100, memory: 2 ** 30, "nvidia.com/gpu": 2 });
  });

  it("rounds fractions up, as the scheduler does", () => {
    expect(resources({ cpu: "100u", memory: "100m" })).toEqual({ cpu: 1, memory: 1 });
  });

  it("leaves out what is negative or not a quantity", () => {
    expect(resources({ cpu: "lots", memory: "-1", pods: "110" })).toEqual({ pods: 110 });
  });

  it("adds and takes maxima by name", () => {
    expect(plus({ cpu: 1 }, { cpu: 2, memory: 3 })).toEqual({ cpu: 3, memory: 3 });
    expect(atLeast({ cpu: 5 }, { cpu: 2, memory: 3 })).toEqual({ cpu: 5, memory: 3 });
  });

  it("never throws on any JSON", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void resources(value)));
  });
});
