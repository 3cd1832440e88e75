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
      { find: /^connect-session-activity\/history-worker$/, replacement: at("src/cli/index.ts") },
      { find: /^connect-session-activity\/signature$/, replacement: at("src/signature/index.ts") },
      { find: /^connect-session-activity\/telemetry$/, replacement: at("src/telemetry/index.ts") },
      { find: /^connect-session-activity\/trail$/, replacement: at("src/trail/index.ts") },
      { find: /^connect-session-activity\/spool$/, replacement: at("src/spool/index.ts") },
      { find: /^connect-session-activity\/console$/, replacement: at("src/console/index.ts") },
      { find: /^connect-session-activity\/testing$/, replacement: at("src/testing/index.ts") },
    ],
  },
  test: {
    // librdkafka does not work in worker threads.
    pool: "forks",
    maxWorkers: 4,
    // No test waits as long as this: the time is for machines that have much else to do.
    testTimeout: 30_000,
    reporters: ["default", at("test/summary-reporter.ts")],
    projects: [
      {
        extends: true,
        test: {
          name: "all",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [
            "test/kafka-real/**",
            "test/adoption/**",
            "test/disk/*.real.test.ts",
            "test/console/browser/**",
            "test/edge/**",
            "test/history-postgres/**",
            "test/frameworks/**",
            "test/environments/**",
            "test/outcome/matrix/**",
          ],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Deadlines are told from cancellations by clocks: with other tests beside it, each of these would test the machine.
        extends: true,
        test: {
          name: "matrix",
          include: ["test/outcome/matrix/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: { include: ["src/**"], reporter: ["text-summary", "text"] },
  },
});

export default config;
