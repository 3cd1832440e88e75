import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const config: ViteUserConfig = defineConfig({
  resolve: {
    // The examples import the package by its name, as a user does: here that is the source.
    alias: [
      { find: /^connect-session-activity$/, replacement: at("src/index.ts") },
      { find: /^connect-session-activity\/kafka$/, replacement: at("src/kafka/index.ts") },
      { find: /^connect-session-activity\/history$/, replacement: at("src/history/index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/kafka-real/**", "test/history-postgres/**"],
    // librdkafka does not work in worker threads.
    pool: "forks",
    reporters: ["default", at("test/summary-reporter.ts")],
    coverage: { include: ["src/**"], reporter: ["text-summary", "text"] },
  },
});

export default config;
