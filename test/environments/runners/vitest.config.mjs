import { defineConfig } from "vitest/config";

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: { include: ["runners/*.test.mjs", "dist/examples/testing/*.test.ts"], globals: true },
});
