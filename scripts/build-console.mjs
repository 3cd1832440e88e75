// Bundles the console's page into dist, after the compiler has filled that.
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, "src", "console", "page");
const assets = join(root, "dist", "src", "console", "assets");

mkdirSync(assets, { recursive: true });
await build({
  entryPoints: { page: join(page, "main.tsx") },
  outdir: assets,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2023", "chrome118", "firefox118", "safari17"],
  legalComments: "inline",
  logLevel: "warning",
});
await build({ entryPoints: { page: join(page, "styles.css") }, outdir: assets, minify: true, logLevel: "warning" });
for (const file of ["index.html", "icon.svg"]) copyFileSync(join(page, file), join(assets, file));
