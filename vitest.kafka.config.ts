import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/kafka-real/**/*.test.ts"],
    // librdkafka does not work in worker threads.
    pool: "forks",
    // One cluster at a time.
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 180_000,
    reporters: ["default", at("test/summary-reporter.ts")],
  },
});

export default config;
