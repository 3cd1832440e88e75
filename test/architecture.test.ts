import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

// The order of the rooms, stated a second time, and in another way than in scripts/rooms.mjs. What is not here is refused.
const low = ["base", "contract", "outcome", "publishing", "service", "gateway"];
const entries = ["kafka", "signature", "spool", "trail", "testing", "history", "telemetry"];
const all = [...low, ...entries, "cli", "console"];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  contract: ["base"],
  outcome: ["base", "contract"],
  publishing: ["base", "contract"],
  service: ["base", "contract", "outcome", "publishing"],
  gateway: ["base", "contract", "outcome", "publishing"],
  ...Object.fromEntries(entries.map((entry) => [entry, low])),
  cli: all,
  console: all,
};
/** Inside kafka/. The files of kafka/ itself may import all of it. */
const mayImportInKafka: Readonly<Record<string, readonly string[]>> = {
  client: [],
  publisher: ["client"],
  consumer: ["client"],
  environment: ["client"],
};
/** Rooms that are in the rules and not yet in src/. */
const planned: readonly string[] = [];

type Form = keyof typeof forms;

/** All ways to import a module. Each is a line of its own, with names that no other line has. */
const forms = {
  named: (x: string, n: number) => `import { a${n} } from "${x}"; void a${n};`,
  default: (x: string, n: number) => `import a${n} from "${x}"; void a${n};`,
  namespace: (x: string, n: number) => `import * as a${n} from "${x}"; void a${n};`,
  mixed: (x: string, n: number) => `import { type A${n}, a${n} } from "${x}"; void a${n};`,
  type: (x: string, n: number) => `import type { A${n} } from "${x}";`,
  "inline type": (x: string, n: number) => `import { type A${n} } from "${x}";`,
  "re-export": (x: string, n: number) => `export { a${n} } from "${x}";`,
  "type re-export": (x: string, n: number) => `export type { A${n} } from "${x}";`,
  "inline type re-export": (x: string, n: number) => `export { type A${n} } from "${x}";`,
  "namespace re-export": (x: string, n: number) => `export * as a${n} from "${x}";`,
  "re-export of all": (x: string) => `export * from "${x}";`,
  "side effect": (x: string) => `import "${x}";`,
  "import()": (x: string) => `void import("${x}");`,
  "import() with quotes of templates": (x: string) => `void import(\`${x}\`);`,
  "import() type": (x: string, n: number) => `export type A${n} = import("${x}").A;`,
  "typeof import()": (x: string, n: number) => `export type A${n} = typeof import("${x}");`,
  require: (x: string) => `void require("${x}");`,
  createRequire: (x: string) => `void createRequire(import.meta.url)("${x}");`,
  "module.createRequire": (x: string) => `void module.createRequire(import.meta.url)("${x}");`,
} as const;
const allForms = Object.keys(forms) as readonly Form[];
const typeForms: readonly Form[] = ["type", "inline type", "type re-export", "inline type re-export"];
const typeImports: readonly Form[] = [...typeForms, "import() type", "typeof import()"];
const requireForms: readonly Form[] = ["require", "createRequire", "module.createRequire"];
/** Its specifier is not a plain text, so that no rule can read it. */
const unreadable: Form = "import() with quotes of templates";

/** A line of a probe: what it says, and whether it must be refused. */
interface Probe {
  readonly what: string;
  readonly line: string;
  readonly refused: boolean;
}

const probes = new Map<string, Probe[]>();
let lines = 0;

function probe(file: string, what: string, line: string, refused: boolean): void {
  const own = probes.get(file) ?? [];
  own.push({ what: `${file}: ${what}`, line, refused });
  probes.set(file, own);
}

function probeImport(file: string, specifier: string, form: Form, refused: boolean): void {
  lines += 1;
  probe(file, `${form} of ${specifier}`, forms[form](specifier, lines), refused || form === unreadable);
}

/** All folders under src/, and for each room that has none inside it, two levels of them. */
function foldersOfRooms(): readonly string[] {
  const existing = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => posix.join(entry.parentPath.slice(join(root, "src").length + 1), entry.name));
  const inner = all.filter((room) => room !== "kafka").flatMap((room) => [`${room}/inner`, `${room}/inner/most`]);
  const kafka = Object.keys(mayImportInKafka).flatMap((name) => [`kafka/${name}`, `kafka/${name}/inner`]);
  return [...new Set([...all, ...existing, ...inner, ...kafka])];
}

function isAllowed(from: string, to: string): boolean {
  const [room = "", inner = ""] = from.split("/");
  const [otherRoom = "", otherInner = ""] = to.split("/");
  if (room !== otherRoom) return mayImport[room]?.includes(otherRoom) === true;
  if (room !== "kafka" || inner === "" || inner === otherInner) return true;
  return mayImportInKafka[inner]?.includes(otherInner) === true;
}

function pathTo(from: string, to: string): string {
  const path = posix.relative(from, to);
  return path.startsWith(".") ? path : `./${path}`;
}

function probeRooms(): void {
  for (const from of foldersOfRooms()) {
    for (const to of foldersOfRooms()) probePair(from, to);
    for (const room of all) {
      const isOwn = from.split("/")[0] === room;
      probeForms(from, pathTo(from, `${room}/index.js`), isOwn || !isAllowed(from, room));
    }
    for (const path of ["index.js", "some.js", "unknown/some.js", "kafka/unknown/some.js", "index.js?query"]) {
      probeForms(from, pathTo(from, path), true);
    }
    const up = pathTo(`src/${from}`, ".");
    probeForms(from, `${up}/gen/sessionactivity/v1/some_pb.js`, from.split("/")[0] === "base");
    for (const path of ["gen/example/v1/some_pb.js", "test/some.js", "dist/src/base/log.js", "package.json"]) {
      probeForms(from, `${up}/${path}`, true);
    }
    probeForms(from, "/src/base/log.js", true);
  }
}

function probeForms(from: string, specifier: string, refused: boolean): void {
  for (const form of allForms) probeImport(`src/${from}/probe.ts`, specifier, form, refused);
}

function probePair(from: string, to: string): void {
  const refused = !isAllowed(from, to);
  probeForms(from, pathTo(from, `${to}/some.js`), refused);
  // A folder in kafka/ is a room of its own.
  if (to === "kafka") return;
  const roundabout = [
    posix.join(pathTo(`src/${from}`, "src"), "..", "src", to, "some.js"),
    `./${posix.relative(from, "base")}/../${to}/some.js`,
    pathTo(from, `${to}/deeper/some.js`),
    pathTo(from, `${to}/deep.er/some.js?query`),
  ];
  for (const specifier of roundabout) probeImport(`src/${from}/probe.ts`, specifier, "named", refused);
}

function probeExceptions(): void {
  for (const form of allForms) {
    for (const file of ["start.ts", "tracking-options.ts"]) {
      for (const room of ["spool", "trail"]) {
        probeImport(`src/kafka/${file}`, `../${room}/some.js`, form, false);
      }
      probeImport(`src/kafka/${file}`, "../history/some.js", form, true);
    }
    for (const file of ["embedded.ts", "restart.ts", "start-again.ts", "client/start.ts"]) {
      probeImport(`src/kafka/${file}`, pathTo(dirname(`kafka/${file}`), "spool/some.js"), form, true);
    }
    const environment = "src/kafka/environment/some.ts";
    probeImport(environment, "../tracking-options.js", form, false);
    probeImport(environment, "../publisher/publisher-options.js", form, false);
    probeImport(environment, "../start.js", form, true);
    probeImport("src/kafka/publisher/some.ts", "../tracking-options.js", form, true);
    probeImport("src/kafka/consumer/consumer-options.ts", "../publisher/publisher-options.js", form, true);
    probeImport("src/kafka/consumer/consumer-settings.ts", "../environment/kafka-environment.js", form, false);
    probeImport("src/kafka/consumer/some.ts", "../environment/kafka-environment.js", form, true);
    probeImport("src/kafka/consumer/consumer-options.ts", "../publisher/ledger.js", form, true);
    probeImport("src/kafka/consumer/some.ts", "../publisher/publisher-options.js", form, true);
  }
}

function probePackages(): void {
  const client = "src/kafka/client/kafka-client.ts";
  const database = "src/history/database.ts";
  const commandLine = "src/cli/command-line.ts";
  const files = foldersOfRooms().map((folder) => `src/${folder}/probe.ts`);
  for (const file of [...files, client, database, commandLine]) {
    const room = file.split("/")[1] ?? "";
    const isLazy = (form: Form): boolean => typeImports.includes(form) || requireForms.includes(form);
    for (const form of allForms) {
      const given = (specifier: string, allowed: boolean): void => probeImport(file, specifier, form, !allowed);
      for (const name of ["@bufbuild/protobuf", "@bufbuild/protobuf/wkt", "@connectrpc/connect", "node:http2"]) {
        given(name, true);
      }
      given("jose", room === "signature");
      given("jose/jwt/sign", room === "signature");
      given("pg", room === "history" && isLazy(form));
      given("@electric-sql/pglite", room === "history" && isLazy(form));
      given("@confluentinc/kafka-javascript", file === client && requireForms.includes(form));
      given("classic-level", room === "spool" && [...typeImports, "import()"].includes(form));
      given("@opentelemetry/api", room === "telemetry");
      given("preact", file.startsWith("src/console/page/"));
      given("preact/hooks", file.startsWith("src/console/page/"));
      given("node:module", [client, database, commandLine].includes(file));
      given("connect-session-activity/package.json", requireForms.includes(form));
      for (const name of ["@connectrpc/connect-node", "node:process", "process", "http", "vitest", "#base"]) {
        given(name, false);
      }
      for (const name of ["connect-session-activity", "connect-session-activity/kafka", "file:///some.js"]) {
        given(name, false);
      }
    }
    for (const call of ["import", "require", "createRequire(import.meta.url)"]) {
      probe(file, `${call} of what is computed`, `void ${call}(String(1));`, true);
    }
  }
}

function probeRootIndex(): void {
  const file = "src/index.ts";
  const names: readonly Form[] = ["re-export", "type re-export", "inline type re-export"];
  for (const to of foldersOfRooms()) {
    const isLow = low.includes(to.split("/")[0] ?? "");
    for (const form of allForms) probeImport(file, `./${to}/some.js`, form, !isLow || !names.includes(form));
  }
  for (const form of names) probeImport(file, "../gen/sessionactivity/v1/some_pb.js", form, false);
  probe(file, "code", "export const some = 1;", true);
  probe(file, "a default export", "export default 1;", true);
  for (const stray of ["src/stray.ts", "src/unknown/stray.ts", "src/kafka/unknown/stray.ts"]) {
    probe(stray, "a file in no room", "export {};", true);
  }
}

/** All ways to the environment, and a few to other parts of the process. */
const environmentReads = [
  "void process.env['A'];",
  "void process['env'];",
  "void process?.env;",
  "void process[String('env')];",
  "const { env } = process;",
  "const alias = process;",
  "call(process);",
  "const holder = { process };",
  "void globalThis.process.env;",
  "void global.process;",
  "void process.getBuiltinModule('node:process');",
];
const otherReads = ["process.exit(0);", "void process.argv[0];", "void options.env;", "void { process: 1 };"];

/** The lines that a linter refuses, as `file:line`. */
type Refused = ReadonlySet<string>;

let folder = "";

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "rooms-")));
  for (const path of [".oxlintrc.json", "biome.json", "scripts/rooms.mjs"])
    cpSync(join(root, path), join(folder, path));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, ".gitignore"), "node_modules\n");
});

function write(file: string, content: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), content);
}

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
  readonly message: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}

function run(program: string, ...args: readonly string[]): string {
  const { stdout } = spawnSync(join(root, "node_modules/.bin", program), args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  return stdout;
}

function oxlint(rule: string): Refused {
  const { diagnostics }: { diagnostics: readonly Diagnostic[] } = JSON.parse(run("oxlint", "--format", "json", "src"));
  // A file that cannot be read is not linted.
  expect(diagnostics.filter(({ code }) => code === undefined)).toEqual([]);
  return new Set(
    diagnostics
      .filter(({ code }) => code === rule)
      .map(({ filename, labels }) => `${filename}:${labels[0]?.span.line}`),
  );
}

function biome(rule: string): Refused {
  const report = run("biome", "lint", "--reporter=github", "--max-diagnostics=none", "src");
  const found = report.matchAll(/^::\w+ title=(\S+?),file=(\S+?),line=(\d+),/gm);
  return new Set(
    [...found]
      .filter(([, title]) => title === rule)
      .map(([, , file, line]) => `${file?.replace(`${folder}/`, "")}:${line}`),
  );
}

beforeEach(() => rmSync(join(folder, "src"), { recursive: true, force: true }));

test("the linter refuses exactly the imports that the order of the rooms forbids", () => {
  probeRooms();
  probeExceptions();
  probePackages();
  probeRootIndex();
  for (const [file, own] of probes) write(file, own.map(({ line }) => `${line}\n`).join(""));
  const refused = oxlint("rooms(imports)");
  expect(refused.size).toBeGreaterThan(lines / 2);
  const wrong = [...probes].flatMap(([file, own]) =>
    own.filter((one, index) => refused.has(`${file}:${index + 1}`) !== one.refused),
  );
  const report = wrong.map(({ what, refused: must }) => `${what} must be ${must ? "refused" : "allowed"}`);
  expect({ wrong: report.length, first: report.slice(0, 20) }).toEqual({ wrong: 0, first: [] });
});

test("the environment is read in one file only", () => {
  const reader = "src/base/environment.ts";
  const files = [
    ...foldersOfRooms().map((room) => `src/${room}/probe.ts`),
    "src/kafka/environment/environment.ts",
    reader,
  ];
  for (const file of files) write(file, [...environmentReads, ...otherReads].map((line) => `${line}\n`).join(""));
  const refused = oxlint("rooms(environment)");
  const wanted = files
    .filter((file) => file !== reader)
    .flatMap((file) => environmentReads.map((_, index) => `${file}:${index + 1}`));
  expect([...refused].toSorted()).toEqual(wanted.toSorted());
  // biome says so too, of the plainest form, and its list of files is the same.
  const plain = files.filter((file) => file !== reader).map((file) => `${file}:1`);
  expect([...biome("lint/style/noProcessEnv")].filter((place) => place.endsWith(":1")).toSorted()).toEqual(
    plain.toSorted(),
  );
});

test("each room in src/ has rules, and each rule is of a room that exists or is planned", async () => {
  const { rooms }: { rooms: readonly string[] } = await import(new URL("../scripts/rooms.mjs", import.meta.url).href);
  const existing = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect([...existing.map(({ name }) => name), ...planned].toSorted()).toEqual(all.toSorted());
  expect(rooms.toSorted()).toEqual(all.toSorted());
});

test("no comment in src/ switches the rules of the rooms off", () => {
  const folders = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true });
  const files = folders.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // Either it names them, or it names none, which means all.
  const switchedOff = /lint-disable(?![\w-]* [a-z]+\/)|lint-disable.*\brooms\b|biome-ignore lint.*noProcessEnv/;
  expect(files.filter((file) => switchedOff.test(readFileSync(file, "utf8")))).toEqual([]);
});

test.each(["src", "test"])("no two files in %s/ have the same name, but for index.ts", (top) => {
  // The packages under frameworks/ and environments/ are programs of their own, with files named by routes and by languages.
  const files = readdirSync(join(root, top), { recursive: true, encoding: "utf8" }).filter(
    (file) => /\.(ts|mjs)$/.test(file) && !/^(frameworks|environments)\//.test(file),
  );
  const names = files.map((file) => basename(file)).filter((name) => name !== "index.ts");
  expect(names.filter((name, index) => names.indexOf(name) < index)).toEqual([]);
});
