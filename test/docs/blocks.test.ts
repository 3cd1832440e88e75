import { existsSync, readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { at, blocksOf, commandsOf, pages, read } from "./pages.js";

/** Languages of blocks that are not code to run. What is in the JSON ones is checked in tables.test.ts. */
const notCode = new Set(["", "json", "text"]);

const blocks = pages.flatMap(blocksOf).filter(({ language }) => !notCode.has(language));
const nameOf = ({ page, line }: { page: string; line: number }) => `${page}:${line}`;
const taken = blocks.filter(({ language }) => language !== "sh").map((block) => ({ ...block, at: nameOf(block) }));
const typed = blocks.filter(({ language }) => language === "sh").map((block) => ({ ...block, at: nameOf(block) }));

const tests = readdirSync(at("test"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && path !== "docs/blocks.test.ts")
  .map((path) => read(`test/${path}`));

it("there are blocks to check", () => {
  expect(taken.length).toBeGreaterThan(12);
  expect(typed.length).toBeGreaterThan(4);
});

it.each(taken)("the block at $at is taken from $file", ({ file, code }) => {
  expect(file, "a comment before it that names a file under examples/ or proto/example/").toBeDefined();
  // In the file, it may stand further to the right.
  const whole = read(file!);
  const places = [0, 2, 4, 8, 16].map((indent) => code.replaceAll(/^(?=.)/gm, " ".repeat(indent)));
  expect(places.filter((place) => whole.includes(place))).toHaveLength(1);
});

it.each([...new Set(taken.flatMap(({ file }) => file ?? []))])("%s is run by a test", (file) => {
  // vitest.config.ts runs what is itself a test.
  if (file.endsWith(".test.ts")) return;
  // Programs are named by folder and file, configurations of proxies by their file.
  const name = file.replace(/^examples\//, "").replace(/\.ts$/, ".js");
  const isNamed = (test: string): boolean => test.includes(name) || test.includes(`"${name.replace(/^edge\//, "")}"`);
  expect(tests.filter(isNamed).length).toBeGreaterThan(0);
});

/** What is done with the commands of shell blocks, by their programs: checked here, or run by the test that is named. */
const runners: Readonly<Record<string, string | ((args: readonly string[]) => void)>> = {
  "node_modules/.bin/session-activity": "worker-page.test.ts",
  "session-activity": "terminal-page.test.ts",
  curl: "quickstart.test.ts",
  node: "quickstart.test.ts",
  npx: "trust.test.ts",
  npm: checkNpm,
};

/** Pages whose commands are typed as a whole, in empty folders. */
const typedAsWhole: Readonly<Record<string, string>> = {
  "docs/getting-started.md": "test/adoption/getting-started.test.ts",
};

it.each(typed)("the commands at $at are run", (block) => {
  const script = typedAsWhole[block.page];
  if (script !== undefined) {
    expect(read(script)).toContain(`"${block.page}"`);
    return;
  }
  const commands = commandsOf(block);
  expect(commands).not.toEqual([]);
  for (const { program, args } of commands) {
    const runner = runners[program];
    if (typeof runner === "function") runner(args);
    else {
      expect(runner, `a test that runs ${program}`).toBeDefined();
      expect(read(`test/docs/${runner}`)).toContain(`shellBlock("${block.page}", "${program.split("/").at(-1)}")`);
    }
  }
});

const manifest = JSON.parse(read("package.json"));

/** Scripts must be there, and packages be this one and what it is tested with. */
function checkNpm([command = "", ...names]: readonly string[]): void {
  if (command === "install") {
    const known = [manifest.name, ...Object.keys({ ...manifest.peerDependencies, ...manifest.devDependencies })];
    expect(known).toEqual(expect.arrayContaining(names));
  } else {
    expect(manifest.scripts).toHaveProperty([command === "run" ? names[0]! : command]);
  }
}

it("every script and path that a page names is there", () => {
  const own = pages.filter((page) => !(page in typedAsWhole));
  const missing = own.flatMap((page) => {
    const text = read(page);
    const scripts = [...text.matchAll(/npm run ([\w:]+)/g)].filter(([, name = ""]) => !(name in manifest.scripts));
    const paths = [...text.matchAll(/(?:vitest run |`)((?:src|test|examples|scripts|bench|proto)\/[\w./-]*\w)/g)];
    return [...scripts, ...paths.filter(([, path]) => !existsSync(at(path!)))].map(([found]) => `${page}: ${found}`);
  });
  expect(missing).toEqual([]);
});
