import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/disk/*.real.test.ts"],
    // strace slows processes down, and machines have much else to do.
    testTimeout: 300_000,
    reporters: ["default", fileURLToPath(new URL("test/summary-reporter.ts", import.meta.url))],
  },
});

export default config;
