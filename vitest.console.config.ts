import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/console/browser/**/*.test.ts"],
    // The embedded Kafka does not work in worker threads.
    pool: "forks",
    // One browser at a time: how long a task takes is measured.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    reporters: ["default", at("test/summary-reporter.ts")],
  },
});

export default config;
