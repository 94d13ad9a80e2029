/** Started by control-plane.test.ts as a process of its own: keeps a control plane up until it is ended from outside. */
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";

const controlPlane = await startControlPlane();
process.stdout.write(`${controlPlane.folder}\n`);
setInterval(() => undefined, 1_000_000);
