/** The user data of `paceline prewarm` against a real containerd and a registry on loopback. */
import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { formats, type FormatName } from "../../src/prewarm/formats/formats.ts";
import type { FormatOptions, PrewarmImage } from "../../src/prewarm/formats/prewarm-list.ts";
import { type OwnContainerd, startContainerd } from "../support/containerd.ts";
import { eventually } from "../support/control-plane.ts";
import { type LoopbackRegistry, startRegistry } from "../support/loopback-registry.ts";
import { hasProgram } from "../support/telemetry-programs.ts";
import { options } from "../unit/prewarm/lists.ts";
import { mimeParts } from "../unit/prewarm/mime.ts";
import { file, simulatedLog } from "../unit/replay/simulated-log.ts";

const execute = promisify(execFile);
const HOST = "registry.test";
const ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/** No test of CI may be skipped: .ci/run installs containerd and runs as root. */
const missing = process.getuid?.() !== 0 ? "root" : ["containerd", "ctr", "ionice"].find((one) => !hasProgram(one));
if (missing !== undefined) console.warn(`SKIPPED: prewarm against a real containerd needs ${missing}`);

describe.skipIf(missing !== undefined)("user data pulls into a real containerd", () => {
  let containerd: OwnContainerd;
  let registry: LoopbackRegistry;
  let programs: string;

  beforeAll(async () => {
    [containerd, registry] = await Promise.all([startContainerd(), startRegistry()]);
    await containerd.serves(HOST, registry.url);
    await containerd.serves(ECR, `https://${ECR}`);
    programs = join(containerd.folder, "bin");
    await mkdir(programs);
    // What the script asks of a node, so that no test starts or asks anything of this machine.
    await program("systemctl", "exit 1");
    await program("sleep", "exit 0");
    // Stands for DNS and TLS: what is for ECR goes to the registry of this test.
    const rewrite = `sed -i 's#https://${ECR}#${registry.url}#' "$6/${ECR}/hosts.toml"`;
    const ofEcr = '[ "$4" = pull ] && [ "$6" != "$PREWARM_HOSTS_DIR" ]';
    await program("ctr", `${ofEcr} && ${rewrite}\nPATH="${process.env["PATH"]}" exec ctr "$@"`);
    await program("aws", '[ "$*" = "ecr get-login-password --region eu-west-1" ] && echo secret');
  });
  afterAll(async () => {
    await containerd.close();
    await registry.close();
  });
  beforeEach(() => {
    registry.onBlob = () => undefined;
  });

  async function program(name: string, script: string): Promise<void> {
    await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(programs, name), 0o755);
  }

  interface Ran {
    readonly code: number;
    readonly printed: string;
  }

  /** Runs the user data's script as cloud-init would. */
  async function runUserData(
    images: readonly PrewarmImage[],
    { format = "nodeadm", env = {}, ...other }: Partial<FormatOptions> & { format?: FormatName; env?: object } = {},
  ): Promise<Ran> {
    return runScript(
      formats[format]({ images, sizes: "compressed", className: undefined }, { ...options, ...other }),
      env,
    );
  }

  async function runScript(userData: string, env: object = {}): Promise<Ran> {
    const script = mimeParts(userData).find(({ type }) => type === "text/x-shellscript")?.content ?? "";
    const file = join(containerd.folder, "part-001");
    await writeFile(file, script);
    const node = {
      PATH: `${programs}:${process.env["PATH"] ?? ""}`,
      CONTAINERD_ADDRESS: containerd.socket,
      PREWARM_HOSTS_DIR: containerd.hostsDir,
      PREWARM_CONTAINERD_PID: String(containerd.pid),
    };
    try {
      const { stdout, stderr } = await execute("bash", [file], { env: { ...node, ...env } });
      return { code: 0, printed: stdout + stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, printed: stdout + stderr };
    }
  }

  const image = (ref: string, digest?: string): PrewarmImage => ({ ref, digest, bytes: 1_000 });
  const targetOf = async (ref: string) => {
    const line = (await containerd.ctr("images", "ls", `name==${ref}`)).split("\n")[1] ?? "";
    return line.split(/\s+/)[2];
  };

  test.each(["nodeadm", "al2-userdata"] as const)(
    "%s: every image is there, and the kubelet's side of containerd knows it",
    async (format) => {
      const names = [1, 2, 3, 4].map((at) => `${format}-${at}`);
      const digests = names.map((name) => registry.add(name, "1"));
      const { code, printed } = await runUserData(
        names.map((name) => image(`${HOST}/${name}:1`)),
        { format },
      );
      expect(code, printed).toBe(0);
      for (const [at, name] of names.entries()) {
        expect(await targetOf(`${HOST}/${name}:1`)).toBe(digests[at]);
        expect(printed).toMatch(new RegExp(`^prewarm: pulled ${HOST}/${name}:1 in \\d+ s$`, "m"));
      }
      // CRI labels what it has taken in; its ImageStatus answers from that.
      await eventually(
        "CRI knows the images",
        async () =>
          (await containerd.ctr("images", "ls"))
            .split("\n")
            .filter((line) => line.includes(`/${format}-`) && line.includes("io.cri-containerd.image=managed"))
            .length === names.length,
      );
      // Unpacked, so a container can start from it.
      expect((await containerd.ctr("snapshots", "ls")).trim().split("\n").length).toBeGreaterThan(2 * names.length);
    },
  );

  test("what the command chooses from a recording is there once its user data has run", async () => {
    const { log, nodes } = simulatedLog();
    const recording = join(containerd.folder, "recording.log");
    await writeFile(recording, `${log.join("\n")}\n${nodes}\n`);
    await containerd.serves("registry.corp", registry.url);
    const digests = file.images.map(({ name }) => {
      const [repository = "", tag = ""] = name.replace("registry.corp/", "").split(":");
      return [name, registry.add(repository, tag)] as const;
    });
    const command = [join(import.meta.dirname, "../../src/cli/main.ts"), "prewarm", recording, "--format", "nodeadm"];
    const { stdout } = await execute(process.execPath, command);
    await runScript(stdout);
    for (const [name, digest] of digests) expect(await targetOf(name), name).toBe(digest);
  });

  test("a pinned image is what the recording had, also where the tag has moved, and has its tag", async () => {
    const recorded = registry.add("pinned", "1");
    const moved = registry.add("pinned", "1", 3);
    expect(moved).not.toBe(recorded);
    await runUserData([image(`${HOST}/pinned:1`, recorded)]);
    expect(await targetOf(`${HOST}/pinned:1`)).toBe(recorded);
    expect(registry.asked).not.toContain("/v2/pinned/manifests/1");
  });

  test("an image of ECR is pulled with the password that the node's role gets", async () => {
    const digest = registry.add("private", "7");
    registry.locked.set("private", `Basic ${Buffer.from("AWS:secret").toString("base64")}`);
    const { printed } = await runUserData([image(`${ECR}/private:7`)]);
    expect(printed).toContain(`pulled ${ECR}/private:7`);
    expect(await targetOf(`${ECR}/private:7`)).toBe(digest);
  });

  test("no user of the node sees the password while it pulls, and it is gone afterwards", async () => {
    registry.add("seen", "1");
    const encoded = Buffer.from("AWS:secret").toString("base64");
    registry.locked.set("seen", `Basic ${encoded}`);
    const foldersIn = async () => (await readdir("/run")).filter((name) => name.startsWith("tmp."));
    const before = await foldersIn();
    const seen: string[] = [];
    const modes: number[] = [];
    registry.onBlob = async () => {
      seen.push((await execute("ps", ["-eo", "args="])).stdout);
      const own = (await foldersIn()).filter((name) => !before.includes(name));
      for (const name of own) modes.push((await stat(join("/run", name))).mode & 0o777);
    };
    const { printed } = await runUserData([image(`${ECR}/seen:1`)]);
    expect(printed).toContain(`pulled ${ECR}/seen:1`);
    const pulls = seen.flatMap((all) => all.split("\n").filter((one) => one.includes("images pull")));
    expect(pulls.length).toBeGreaterThan(0);
    expect(pulls.filter((one) => one.includes("secret") || one.includes(encoded))).toEqual([]);
    expect(new Set(modes)).toEqual(new Set([0o700]));
    expect(await foldersIn()).toEqual(before);
  });

  test("where the node has no settings of its own for ECR, its password goes there all the same", async () => {
    const digest = registry.add("plain", "1");
    registry.locked.set("plain", `Basic ${Buffer.from("AWS:secret").toString("base64")}`);
    const env = { PREWARM_HOSTS_DIR: join(containerd.folder, "none") };
    const { printed } = await runUserData([image(`${ECR}/plain:1`)], { env });
    expect(printed).toContain(`pulled ${ECR}/plain:1`);
    expect(await targetOf(`${ECR}/plain:1`)).toBe(digest);
  });

  test("a redirect of ECR to another host gets no password", async () => {
    const digest = registry.add("moved", "1");
    registry.locked.set("moved", `Basic ${Buffer.from("AWS:secret").toString("base64")}`);
    registry.elsewhere.add("moved");
    const { printed } = await runUserData([image(`${ECR}/moved:1`)]);
    expect(printed).toContain(`pulled ${ECR}/moved:1`);
    expect(await targetOf(`${ECR}/moved:1`)).toBe(digest);
  });

  test("no more images are pulled at once than asked for", async () => {
    const names = ["serial-1", "serial-2", "serial-3"];
    for (const name of names) registry.add(name, "1");
    const before = registry.asked.length;
    await runUserData(
      names.map((name) => image(`${HOST}/${name}:1`)),
      { parallel: 1 },
    );
    const repositories = registry.asked.slice(before).map((path) => path.split("/")[2] ?? "");
    const turns = repositories.filter((name, at) => name !== repositories[at - 1]);
    expect(turns).toEqual(names);
  });

  test("containerd and ctr have idle I/O priority while they pull, and containerd has its own again afterwards", async () => {
    registry.add("idle", "1");
    const ofDaemon = async () => (await execute("ionice", ["-p", String(containerd.pid)])).stdout.trim();
    const usual = await ofDaemon();
    const seen: string[] = [];
    registry.onBlob = async () => {
      const { stdout } = await execute("ps", ["-eo", "pid=,comm=,args="]);
      const pulls = stdout.split("\n").filter((line) => / ctr +.* images pull .*\/idle:1/.test(line));
      const pids = pulls.map((line) => line.trim().split(" ")[0] ?? "");
      const own = await Promise.all(pids.map(async (pid) => (await execute("ionice", ["-p", pid])).stdout.trim()));
      seen.push(await ofDaemon(), ...own);
    };
    await runUserData([image(`${HOST}/idle:1`)]);
    expect(seen.length).toBeGreaterThanOrEqual(4);
    expect(new Set(seen)).toEqual(new Set(["idle"]));
    expect(await ofDaemon()).toBe(usual);
  });

  test("fails open: what can not be pulled is named, the rest is there, and the exit code is 0; strict, it is 1", async () => {
    registry.add("good", "1");
    const images = [image(`${HOST}/absent:1`), image(`${HOST}/good:1`)];
    const open = await runUserData(images);
    expect(open.code).toBe(0);
    expect(open.printed).toMatch(/could not pull registry\.test\/absent:1/);
    expect(open.printed).toMatch(/pulled registry\.test\/good:1/);
    expect((await runUserData(images, { env: { PREWARM_STRICT: "1" } })).code).toBe(1);
  });

  test("fails open: a registry that hangs holds the node no longer than stated, and leaves no process", async () => {
    registry.add("hanging", "1");
    const { promise: never, resolve } = Promise.withResolvers<undefined>();
    onTestFinished(() => resolve(undefined));
    registry.onBlob = () => never;
    const { code, printed } = await runUserData([image(`${HOST}/hanging:1`)], { timeoutSeconds: 2 });
    expect(code).toBe(0);
    expect(printed).toContain("stopped after 2 s; the kubelet pulls what is missing");
    await expect(execute("pgrep", ["-f", `${HOST}/hanging:1`])).rejects.toMatchObject({ code: 1 });
  });

  test("fails open: without a containerd, the script says so and ends well", async () => {
    const { code, printed } = await runUserData([image(`${HOST}/good:1`)], {
      env: { CONTAINERD_ADDRESS: join(containerd.folder, "no.sock") },
    });
    expect(code).toBe(0);
    expect(printed).toContain("containerd does not run; the kubelet pulls all images");
  });
});
