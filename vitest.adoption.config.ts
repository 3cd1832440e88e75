import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/adoption/**/*.test.ts"],
    // The embedded Kafka does not work in worker threads.
    pool: "forks",
    // One project at a time: each installs packages.
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 600_000,
    reporters: ["default", fileURLToPath(new URL("test/summary-reporter.ts", import.meta.url))],
  },
});

export default config;
