// Types what docs/getting-started.md says, in empty folders, with a packed file in place of the registry.
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Block } from "../docs/pages.js";
import { freePorts } from "../support/free-ports.js";
import { until } from "../support/until.js";
import { createProject, type Project, packForFile, sectionOf } from "./project.js";

const page = "docs/getting-started.md";
const npm = sectionOf(page, "With npm");

const tarball = packForFile();

const isShell = ({ language }: Block): boolean => language === "sh";
const codeOf = (blocks: readonly Block[], part: string): string => {
  const found = blocks.find(({ code }) => code.includes(part));
  if (found === undefined) throw new Error(`${page} has no block with ${part}`);
  return found.code;
};
const fileOf = (blocks: readonly Block[], name: string): string =>
  blocks.find(({ file }) => file === `examples/${name}`)!.code;

/** Starts all, as the page says, with free ports, and waits for the reader's line. */
async function run(project: Project, below: string, programs = ""): Promise<void> {
  const [port = 0] = await freePorts(1);
  const kafka = project.start(codeOf(npm, "startEmbeddedKafka"), below, {});
  await until(() => kafka.output().includes("brokers"), kafka.output, 60_000);
  const [, brokers = ""] = /brokers: '([^']+)'/.exec(kafka.output()) ?? [];
  const [service = "", reader = ""] = codeOf(npm, "node service.js")
    .replaceAll("localhost:9092", brokers)
    .replaceAll("node ", `node ${programs}`)
    .split("\n");
  const running = project.start(service, below, { PORT: String(port) });
  const reading = project.start(reader, below, {});
  const curl = codeOf(npm, "curl").replace("localhost:8080", `127.0.0.1:${port}`);
  const call = () => project.type(curl, below).catch(() => "");
  await expect.poll(call, { timeout: 60_000, interval: 500 }).toContain("permission_denied");
  const output = (): string => running.output() + reading.output();
  await until(() => reading.output().includes("account-service change_password PERMISSION_DENIED"), output, 60_000);
}

/** Saves the files of the page. */
function saveFiles(project: Project, below: string): void {
  for (const name of ["start/proto/account.proto", "start/buf.gen.yaml", "start/service.js", "start/reader.js"]) {
    project.save(join(below, name.replace("start/", "")), fileOf(npm, name));
  }
}

it("with npm", async () => {
  const project = createProject(tarball());
  const [install = "", generate = ""] = npm.filter(isShell).map(({ code }) => code);
  await project.type(install);
  saveFiles(project, ".");
  await project.type(generate);
  await run(project, ".");
});

it("in a pnpm workspace", async () => {
  const project = createProject(tarball());
  const [install = "", generate = ""] = sectionOf(page, "In a pnpm workspace").map(({ code }) => code);
  await project.type(install);
  const below = "services/account";
  saveFiles(project, below);
  await project.type(generate, below);
  await run(project, below);
});

it("in TypeScript, with yarn", async () => {
  const project = createProject(tarball());
  const section = sectionOf(page, "In TypeScript, with yarn");
  const [install = "", compile = ""] = section.filter(isShell).map(({ code }) => code);
  await project.type(install);
  project.save("proto/account.proto", fileOf(npm, "start/proto/account.proto"));
  const generate = fileOf(npm, "start/buf.gen.yaml").replace("out: gen", "out: src/gen");
  project.save("buf.gen.yaml", generate.replace("opt: ", "opt: target=ts,"));
  for (const name of ["service", "reader"]) project.save(`src/${name}.ts`, fileOf(npm, `start/${name}.js`));
  project.save("tsconfig.json", fileOf(section, "start/tsconfig.json"));
  await project.type(compile);
  await run(project, ".", "dist/");
});
