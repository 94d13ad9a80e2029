/** Builds Helm before the first test that needs it, if it is missing, and reports progress. */
import { findHelm } from "../../dev/chart/helm.ts";
import { toldNotThrown } from "./global-build.ts";

export const setup = () => toldNotThrown(findHelm);
