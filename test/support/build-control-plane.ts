/** Builds the control plane before the first test that needs it, if it is missing, and reports progress. */
import { findBinaries } from "../../dev/control-plane/binaries.ts";
import { toldNotThrown } from "./global-build.ts";

export const setup = () => toldNotThrown(findBinaries);
