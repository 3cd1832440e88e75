import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));

it.each(["express", "fastify", "next"])("%s: the tests compile against the published declarations", (framework) => {
  const project = fileURLToPath(new URL(framework, import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [join(typescript, "bin", "tsc"), "-p", project], {
    encoding: "utf8",
  });
  expect(stdout).toBe("");
  expect(status).toBe(0);
});
