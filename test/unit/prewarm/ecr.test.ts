/** Which registries get the node's password. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { ECR_HOST } from "../../../src/prewarm/formats/ecr.ts";

/** The region that bash finds, as the scripts do; undefined: no password. */
function regionOf(host: string): string | undefined {
  const script = 'ecr="$1"; [[ "$2" =~ $ecr ]] && printf %s "${BASH_REMATCH[2]}"';
  const { status, stdout } = spawnSync("bash", ["-c", script, "bash", ECR_HOST, host], { encoding: "utf8" });
  return status === 0 ? stdout : undefined;
}

test("registries of Amazon ECR get it, in their region", () => {
  expect(regionOf("123456789012.dkr.ecr.eu-central-1.amazonaws.com")).toBe("eu-central-1");
  expect(regionOf("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com")).toBe("us-gov-west-1");
  expect(regionOf("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")).toBe("cn-north-1");
});

test("no host gets it that merely looks like one: any user of a cluster may name an image", () => {
  for (const host of [
    "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example",
    "1.dkr.ecr.us-east-1.amazonaws.com",
    "evil.example.123456789012.dkr.ecr.us-east-1.amazonaws.com",
    "123456789012.dkr.ecr.us-east-1.evil.example.amazonaws.com",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com:8080",
    "123456789012xdkr.ecr.us-east-1.amazonaws.com",
    "docker.io",
  ]) {
    expect(regionOf(host), host).toBeUndefined();
  }
});
