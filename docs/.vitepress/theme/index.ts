// The theme without its web fonts: pages use the reader's own.
export { default } from "vitepress/theme-without-fonts";
