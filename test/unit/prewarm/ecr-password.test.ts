/** Where the pull script sends ECR's password: to ECR, whatever the node's hosts.toml files say. */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { pullScript } from "../../../src/prewarm/formats/pull-script.ts";

const execute = promisify(execFile);
const ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const PASSWORD = `authorization = ["Basic ${Buffer.from("AWS:secret").toString("base64")}"]`;
const MIRROR = '[host."https://mirror.test"]\n  capabilities = ["pull", "resolve"]\n';

interface Pulled {
  /** What `ctr` read for this registry. */
  readonly hosts: string;
  readonly printed: string;
}

/** Pulls one image of `registry` on a node with these files, by path within its certs.d. */
async function pulled(files: Readonly<Record<string, string>>, registry = ECR): Promise<Pulled> {
  const folder = await mkdtemp(join(tmpdir(), "paceline-ecr-"));
  const containerd = createServer();
  onTestFinished(async () => {
    containerd.close();
    await rm(folder, { recursive: true });
  });
  const [socket, bin, certs] = [join(folder, "containerd.sock"), join(folder, "bin"), join(folder, "certs.d")];
  await new Promise<void>((resolve) => void containerd.listen(socket, resolve));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(certs, path)), { recursive: true });
    await writeFile(join(certs, path), text);
  }
  await mkdir(bin);
  // As containerd: the registry's own folder, else that of all.
  const read = `for at in ${registry} _default; do [ -d "$6/$at" ] && exec cat "$6/$at/hosts.toml" >"${folder}/seen"; done`;
  const programs = {
    ctr: `[ "$4" = pull ] || exit 0\n${read}\nexit 0`,
    aws: "echo secret",
    ionice: 'shift 3; exec "$@"',
  };
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  }
  const image = { ref: `${registry}/app:1`, digest: undefined, bytes: 1_000 };
  const script = join(folder, "pull.sh");
  await writeFile(
    script,
    pullScript({ className: undefined, sizes: "compressed", images: [image] }, { parallel: 1, timeoutSeconds: 60 }),
  );
  const env = { PREWARM_HOSTS_DIR: certs, CONTAINERD_ADDRESS: socket, PREWARM_CONTAINERD_PID: "0" };
  const { stdout, stderr } = await execute("bash", [script], {
    env: { ...env, PATH: `${bin}:${process.env["PATH"] ?? ""}` },
  });
  return { hosts: await readFile(join(folder, "seen"), "utf8").catch(() => ""), printed: stdout + stderr };
}

it("where the file names no registry, the password is in a part that names ECR", async () => {
  const own = `[host."https://${ECR}"]\ncapabilities = ["pull", "resolve"]\n[host."https://${ECR}".header]\n${PASSWORD}\n`;
  expect((await pulled({})).hosts).toBe(`\n${own}`);
  expect((await pulled({ [`${ECR}/hosts.toml`]: 'ca = "ca.crt"\n' })).hosts).toBe(`ca = "ca.crt"\n\n${own}`);
});

it.each([
  ["no server", `${ECR}/hosts.toml`, MIRROR],
  ["no server, in a file for all registries", "_default/hosts.toml", MIRROR],
  ["a mirror's own header", `${ECR}/hosts.toml`, `${MIRROR}  [host."https://mirror.test".header]\n    x-a = "b"\n`],
  ["a host after a tab", `${ECR}/hosts.toml`, MIRROR.replaceAll(/^ */gm, "\t")],
  ["ECR itself as server", `${ECR}/hosts.toml`, `server = "https://${ECR}"\n${MIRROR}`],
  ["ECR itself as server, by its path", `${ECR}/hosts.toml`, `server="${ECR}/v2" # AWS\n${MIRROR}`],
])("beside mirrors it is for what the file falls back on, which is ECR: %s", async (_, path, file) => {
  expect((await pulled({ [path]: file })).hosts).toBe(`${file}\n[header]\n${PASSWORD}\n`);
});

it.each([
  ["another server", `${ECR}/hosts.toml`, `server = "https://mirror.corp"\n\n${MIRROR}`],
  ["another server, in a file for all registries", "_default/hosts.toml", `server = "https://mirror.corp"\n${MIRROR}`],
  ["another server, with no mirror", `${ECR}/hosts.toml`, "server = 'https://mirror.corp'\n"],
  ["another server, by other spelling", `${ECR}/hosts.toml`, `\t"SERVER"="mirror.corp"\n${MIRROR}`],
  ["another server, after lists in a list", `${ECR}/hosts.toml`, `client = [\n["a"]\n]\nserver = "m.corp"\n${MIRROR}`],
  ["a server that begins like ECR", `${ECR}/hosts.toml`, `server = "https://${ECR}.corp"\n${MIRROR}`],
  ["ECR without TLS", `${ECR}/hosts.toml`, `server = "http://${ECR}"\n${MIRROR}`],
  ["a header", `${ECR}/hosts.toml`, `server = "https://${ECR}"\n${MIRROR}\n[header]\n  x-a = "b"\n`],
  ["a header in one line", `${ECR}/hosts.toml`, `header = { x-a = "b" }\n${MIRROR}`],
])("a file that has its own is left as it is, with a message: %s", async (_, path, file) => {
  const { hosts, printed } = await pulled({ [path]: file });
  expect(hosts).toBe(file);
  expect(printed).toContain(`prewarm: no password for ${ECR}: `);
  expect(printed).toContain(`prewarm: pulled ${ECR}/app:1`);
});

it("other registries get the node's files as they are", async () => {
  const { hosts, printed } = await pulled({ "registry.test/hosts.toml": MIRROR }, "registry.test");
  expect(hosts).toBe(MIRROR);
  expect(printed).not.toContain("password");
});
