import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../support/root.js";

const manifest: { peerDependenciesMeta: Record<string, { optional?: boolean }> } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);
const optional = Object.keys(manifest.peerDependenciesMeta);

/** Every package that a file needs as soon as it is loaded, by what it imports and what that imports. */
function packagesOf(file: string, seen = new Set<string>()): Set<string> {
  const found = new Set<string>();
  if (seen.has(file)) return found;
  seen.add(file);
  for (const [, types, name = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|export) (type )?[^;]*?from "([^"]+)";/gm,
  )) {
    if (types !== undefined || name.startsWith("node:")) continue;
    if (!name.startsWith(".")) found.add(name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
    else for (const one of packagesOf(sourceOf(join(dirname(file), name)), seen)) found.add(one);
  }
  return found;
}

function sourceOf(compiled: string): string {
  const source = compiled.replace(/\.js$/, ".ts");
  if (!existsSync(source)) throw new Error(`${compiled} has no source`);
  return source;
}

it("the program loads without any optional package: each command says itself what it needs", () => {
  const needed = packagesOf(join(root, "src/cli/session-activity.ts"));
  expect([...needed]).toContain("@bufbuild/protobuf");
  expect(optional.filter((name) => needed.has(name))).toEqual([]);
});

it.each([
  ["signature", ["jose"]],
  ["telemetry", ["@opentelemetry/api"]],
])("only the entry %s needs its own when it is loaded", (entry, own) => {
  const needed = packagesOf(join(root, `src/${entry}/index.ts`));
  expect(optional.filter((name) => needed.has(name))).toEqual(own);
});
