import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A file of the page. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const here = import.meta.dirname ?? __dirname;
/** Beside this file where the package is built. The sources run in tests, and use what was built last. */
const folders = [join(here, "assets"), join(dirname(dirname(here)), "dist", "src", "console", "assets")];

const files = [
  ["/assets/page.js", "page.js", "text/javascript; charset=utf-8"],
  ["/assets/page.css", "page.css", "text/css; charset=utf-8"],
  ["/assets/icon.svg", "icon.svg", "image/svg+xml"],
] as const;
/** The views, each with an address of its own. All are drawn by the same page. */
const views = ["/", "/session", "/search", "/changes", "/completeness"];

/** Loads the page's files, by the path of each. Throws if they are not there. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const folder = folders.find((one) => existsSync(join(one, "index.html")));
  if (folder === undefined)
    throw new Error("the console's page is not built, or left out by a bundler: see docs/console.md");
  const page: Asset = { type: "text/html; charset=utf-8", body: readFileSync(join(folder, "index.html")) };
  return new Map([
    ...views.map((path) => [path, page] as const),
    ...files.map(([path, file, type]) => [path, { type, body: readFileSync(join(folder, file)) }] as const),
  ]);
}
