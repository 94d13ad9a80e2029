/** The one kind of machine that autoscalers launch here. */
import { GIB } from "../../src/simulate/model/constants.ts";

export const CORES = 4;
export const MEMORY_BYTES = 16 * GIB;
/** Its resources, as a Node has them. */
export const RESOURCES = { cpu: "4", memory: "16Gi", "ephemeral-storage": "100Gi", pods: "110" };
