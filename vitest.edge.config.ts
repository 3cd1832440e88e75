import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/edge/**/*.test.ts"],
    reporters: ["default", fileURLToPath(new URL("test/summary-reporter.ts", import.meta.url))],
  },
});

export default config;
