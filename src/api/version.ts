/** The version of this release, as in package.json. */
import packageJson from "../../package.json" with { type: "json" };

export const { version } = packageJson;
