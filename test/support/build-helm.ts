/** Before the first test that needs Helm: builds it where it is missing, and says so while the minutes pass. */
import { findHelm } from "../../dev/chart/helm.ts";
import { toldNotThrown } from "./global-build.ts";

export const setup = () => toldNotThrown(findHelm);
