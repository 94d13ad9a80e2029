/** Before the first test that needs a control plane: builds it where it is missing, and says so while the minutes pass. */
import { findBinaries } from "../../dev/control-plane/binaries.ts";
import { toldNotThrown } from "./global-build.ts";

export const setup = () => toldNotThrown(findBinaries);
