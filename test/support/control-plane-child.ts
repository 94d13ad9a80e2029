/** A process that control-plane.test.ts starts. It keeps a control plane up until it is killed. */
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";

const controlPlane = await startControlPlane();
process.stdout.write(`${controlPlane.folder}\n`);
setInterval(() => undefined, 1_000_000);
