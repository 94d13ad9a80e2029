/** The throttle of the real node's disk with both versions of cgroups. Version 2 does not run on every machine. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cgroupVersion, missingCgroups, throttled, throttleWrites } from "../../../../bench/real-node/cgroups.ts";

const throttle = { bytesPerSecond: 67_108_864, iops: 1_500 };
const none = { bytesPerSecond: 0, iops: 0 };

describe("the throttle", () => {
  it("is one line of io.max in our cgroup with version 2", () => {
    const path = "/sys/fs/cgroup/paceline-real-node/io.max";
    const text = "7:3 rbps=67108864 wbps=67108864 riops=1500 wiops=1500";
    expect(throttleWrites(2, "7:3", throttle)).toEqual([{ path, text }]);
    expect(throttleWrites(2, "7:3", none)).toEqual([{ path, text: "7:3 rbps=max wbps=max riops=max wiops=max" }]);
  });

  it("is four lines of blkio in the root cgroup with version 1", () => {
    const file = (name: string) => `/sys/fs/cgroup/blkio/blkio.throttle.${name}_device`;
    expect(throttleWrites(1, "7:3", throttle)).toEqual([
      { path: file("read_bps"), text: "7:3 67108864" },
      { path: file("read_iops"), text: "7:3 1500" },
      { path: file("write_bps"), text: "7:3 67108864" },
      { path: file("write_iops"), text: "7:3 1500" },
    ]);
    expect(throttleWrites(1, "7:3", none).map(({ text }) => text)).toEqual(Array(4).fill("7:3 0"));
  });

  it("reaches the node's programs: with version 2 they join our cgroup before they begin", () => {
    expect(throttled(1, "containerd", ["--config", "a b"])).toEqual(["containerd", ["--config", "a b"]]);
    const [command, args] = throttled(2, "containerd", ["--config", "a b"]);
    const [, script = "", procs, ...rest] = args;
    expect([command, procs, rest]).toEqual([
      "sh",
      "/sys/fs/cgroup/paceline-real-node/programs/cgroup.procs",
      ["containerd", "--config", "a b"],
    ]);
    expect(script).toBe('echo $$ > "$0" && exec "$@"');
  });
});

describe("which cgroups a machine has", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "paceline-cgroup-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("is version 1 if blkio can throttle, although version 2 is mounted beside it", () => {
    mkdirSync(join(root, "blkio"));
    writeFileSync(join(root, "blkio/blkio.throttle.write_bps_device"), "");
    mkdirSync(join(root, "unified"));
    writeFileSync(join(root, "unified/cgroup.controllers"), "");
    expect(cgroupVersion(root)).toBe(1);
    expect(missingCgroups(root)).toEqual([]);
  });

  it("is version 2 with its io controller", () => {
    writeFileSync(join(root, "cgroup.controllers"), "cpuset cpu io memory pids\n");
    expect(cgroupVersion(root)).toBe(2);
    expect(missingCgroups(root)).toEqual([]);
  });

  it("says what is missing: the io controller, or cgroups as a whole", () => {
    expect(missingCgroups(root)[0]).toContain("neither cgroup v1's blkio controller");
    writeFileSync(join(root, "cgroup.controllers"), "cpu memory\n");
    expect(missingCgroups(root)[0]).toContain("no io controller here");
    expect(missingCgroups(root)[0]).toContain("lists cpu memory");
  });
});
