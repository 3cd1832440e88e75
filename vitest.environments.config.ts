import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/environments/*.test.ts"],
    // Each test is a process or more of its own.
    maxWorkers: 2,
    // No test waits as long as this: the time is for machines that have much else to do.
    testTimeout: 300_000,
    reporters: [
      "default",
      at("test/summary-reporter.ts"),
      ["json", { outputFile: at(".cache/environments/results.json") }],
    ],
  },
});

export default config;
