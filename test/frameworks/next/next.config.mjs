import { fileURLToPath } from "node:url";

export default {
  distDir: "dist",
  // Otherwise Next takes the folder of the outermost lockfile, which is another package's, for the root of this one.
  outputFileTracingRoot: fileURLToPath(new URL(".", import.meta.url)),
};
