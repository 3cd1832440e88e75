import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/observability/**/*.test.ts"],
    // librdkafka does not work in worker threads.
    pool: "forks",
    testTimeout: 90_000,
    reporters: ["default", fileURLToPath(new URL("test/summary-reporter.ts", import.meta.url))],
  },
});

export default config;
