// VitePress looks for its configuration here; dev/site has what it says.
export { siteConfig as default } from "../../dev/site/config.ts";
