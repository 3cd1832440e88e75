import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFileTrace } from "@vercel/nft";
import { build } from "esbuild";
import { expect, it, onTestFinished } from "vitest";
import webpack, { type Configuration } from "webpack";
import { here, runNode, works } from "./run-program.js";

const external = ["@confluentinc/kafka-javascript", "@electric-sql/pglite"];
const entry = here("app/main.mjs");

/** Bundles the app, and gives what the bundle prints. */
async function withEsbuild(format: "esm" | "cjs"): Promise<unknown> {
  const outfile = here(`dist/bundles/esbuild.${format === "esm" ? "mjs" : "cjs"}`);
  // Some packages below are CommonJS, and require what Node has: in ESM, that is what esbuild tells its users to do.
  const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
  const options = format === "esm" ? { banner: { js: banner } } : {};
  const common = { bundle: true, minify: true, platform: "node", logLevel: "silent" } as const;
  const { warnings } = await build({ ...common, ...options, entryPoints: [entry], format, external, outfile });
  expect(warnings).toEqual([]);
  return JSON.parse(await runNode([outfile]));
}

/** What is looked at of webpack's own `Stats`. The linter runs where this suite's packages are not installed. */
interface WebpackStats {
  readonly compilation: { readonly errors: readonly Error[]; readonly warnings: readonly Error[] };
}

async function withWebpack(filename: string, configuration: Configuration): Promise<string> {
  const path = here("dist/bundles");
  const compiler = webpack({
    mode: "production",
    target: "node",
    entry,
    ...configuration,
    output: { path, filename, ...configuration.output },
  });
  const stats = await new Promise<WebpackStats | undefined>((resolve, reject) => {
    compiler?.run((error, done) => (error ? reject(error) : resolve(done)));
  });
  // pg asks for pg-native, which nobody needs.
  const problems = [...(stats?.compilation.errors ?? []), ...(stats?.compilation.warnings ?? [])];
  expect(problems.filter(({ message }) => !message.includes("'pg-native'")).map(({ message }) => message)).toEqual([]);
  return join(path, filename);
}

const externals = (type: string): Configuration => ({
  externals: external.map((name) => ({ [name]: `${type} ${name}` })),
});

it("esbuild to ESM", async () => {
  expect(await withEsbuild("esm")).toEqual(works);
});

it("esbuild to CommonJS", async () => {
  expect(await withEsbuild("cjs")).toEqual(works);
});

it("webpack to ESM", async () => {
  const output = { library: { type: "module" }, module: true };
  const bundle = await withWebpack("webpack.mjs", {
    ...externals("node-commonjs"),
    output,
    experiments: { outputModule: true },
  });
  expect(JSON.parse(await runNode([bundle]))).toEqual(works);
});

it("webpack to CommonJS", async () => {
  const bundle = await withWebpack("webpack.cjs", externals("commonjs"));
  expect(JSON.parse(await runNode([bundle]))).toEqual(works);
});

it("webpack, with the Kafka client in the bundle", async () => {
  const bundle = await withWebpack("bundled.cjs", {});
  const message = expect.stringContaining("Name @confluentinc/kafka-javascript among the bundler's externals");
  expect(JSON.parse(await runNode([bundle]))).toEqual({ code: "ERR_KAFKA_CLIENT_BUNDLED", message });
});

it("file tracing, as Next.js and Nitro do it", async () => {
  const base = here(".");
  const { fileList } = await nodeFileTrace([entry], { base });
  const elsewhere = mkdtempSync(join(tmpdir(), "session-activity-"));
  onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }));
  for (const file of fileList) cpSync(join(base, file), join(elsewhere, file), { recursive: true });
  expect(JSON.parse(await runNode(["app/main.mjs"], { cwd: elsewhere }))).toEqual(works);
});
