import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/frameworks/**/*.test.ts"],
    env: { NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" },
    // No test waits as long as this: the time is for machines that have much else to do.
    testTimeout: 60_000,
    reporters: ["default", fileURLToPath(new URL("test/summary-reporter.ts", import.meta.url))],
  },
});

export default config;
