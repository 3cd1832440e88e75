// A plugin of oxlint: it holds what each room under src/ may import, and where process.env may be read.
// It resolves each specifier to the file that it names, so that no spelling of a path gets past it.
import { builtinModules } from "node:module";
import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The rooms, from the bottom up. A file imports its own room and what stands on a lower line, never its neighbours. */
const levels = [
  ["base"],
  ["contract"],
  ["outcome", "publishing"],
  ["service", "gateway"],
  ["kafka", "signature", "spool", "trail", "testing", "history", "telemetry"],
];
/** Programs of their own: they may import all, each other too. Nobody below imports them. */
const programs = ["cli", "console"];
/** The rooms inside kafka/, likewise. The files of kafka/ itself stand above them. */
const kafkaLevels = [["client"], ["publisher", "consumer", "environment"]];

/** What the order above refuses and is allowed all the same. `by` names the only form that is. */
const exceptions = [
  // What is started by one call is configured by it. What spool and trail need is loaded when they are switched on.
  { from: /^kafka\/(start|tracking-options)\.ts$/, to: /^(spool|trail)\// },
  // What code leaves open, a consumer takes from the environment.
  { from: /^kafka\/consumer\/consumer-settings\.ts$/, to: /^kafka\/environment\/kafka-environment\.ts$/ },
  // An option's default and bounds stand in one table, and the environment reads the same one.
  { from: /^kafka\/environment\//, to: /^kafka\/([a-z]+\/)?[a-z-]+-options\.ts$/ },
];

/** All packages that src/ may import. Without `from`, every room may; without `by`, in every form. */
const packages = [
  { name: "@bufbuild/protobuf" },
  { name: "@connectrpc/connect" },
  { name: "jose", from: /^signature\// },
  { name: "pg", from: /^history\//, by: ["type", "require"] },
  { name: "@electric-sql/pglite", from: /^history\//, by: ["type", "require"] },
  { name: "@confluentinc/kafka-javascript", from: /^kafka\/client\/kafka-client\.ts$/, by: ["require"] },
  { name: "classic-level", from: /^spool\//, by: ["type", "import()"] },
  { name: "@opentelemetry/api", from: /^telemetry\// },
  // Bundled into the page. Nobody who installs this package needs it.
  { name: "preact", from: /^console\/page\// },
  // What can load a module unseen, and what holds the environment.
  {
    name: "node:module",
    from: /^(kafka\/client\/kafka-client|history\/database|cli\/command-line|cli\/kafka-client\/kafka-client-files)\.ts$/,
  },
  { name: "node:process", from: /^$/ },
];
/** The only file that may be required, beside packages: it says the version. */
const manifest = "connect-session-activity/package.json";
/** The only file that reads process.env. biome.json names it too. */
const environmentFile = "base/environment.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const src = resolve(root, "src");

/** A path below a folder with slashes, whatever the machine. */
const below = (folder, path) => relative(folder, path).split(sep).join("/");

/** Where a file stands: its room, its room inside kafka/, and their heights. Undefined for a file in no room. */
function placeOf(file) {
  const [room, inner, ...more] = file.split("/");
  if (inner === undefined) return undefined;
  if (programs.includes(room)) return { name: room, room, height: levels.length };
  const height = heightIn(levels, room);
  if (height < 0) return undefined;
  if (room !== "kafka") return { name: room, room, height };
  if (more.length === 0) return { name: room, room, height, inner: "", innerHeight: kafkaLevels.length };
  const innerHeight = heightIn(kafkaLevels, inner);
  return innerHeight < 0 ? undefined : { name: `kafka/${inner}`, room, height, inner, innerHeight };
}

function heightIn(order, name) {
  return order.findIndex((level) => level.includes(name));
}

/** What is wrong with this import, or undefined. `form` is how it is written. */
function problemOf(file, specifier, form) {
  if (/^\.{0,2}\//.test(specifier)) return problemOfPath(file, resolve(src, dirname(file), specifier), form);
  return problemOfPackage(file, specifier, form);
}

function problemOfPackage(file, specifier, form) {
  if (specifier === manifest) return form === "require" ? undefined : "the manifest is only required";
  const known = packages.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
  if (known === undefined) {
    const isBuiltin = specifier.startsWith("node:") && builtinModules.includes(specifier.slice("node:".length));
    return isBuiltin ? undefined : `${specifier} is not in the table of packages`;
  }
  const { name, from = /^/, by } = known;
  if (!from.test(file)) return `${name} is not for this file`;
  return by === undefined || by.includes(form) ? undefined : `${name} is loaded only when it is needed`;
}

function problemOfPath(file, path, form) {
  const target = below(src, path).replace(/\.js$/, ".ts");
  if (target.startsWith("../")) return problemOfOutside(file, below(root, path));
  if (target === "index.ts") return "src/index.ts is the public surface: nothing in src/ imports it";
  const to = placeOf(target);
  if (to === undefined) return `${target} is in no room`;
  if (file === "index.ts") {
    const entries = levels.length - 1;
    return to.height < entries ? undefined : "the root entry needs no entry folder";
  }
  if (isException(file, target, form)) return undefined;
  return problemOfRooms(placeOf(file), to, target);
}

function problemOfOutside(file, target) {
  if (!target.startsWith("gen/sessionactivity/")) return `${target} is not published with src/`;
  return file.startsWith("base/") ? "base/ knows nothing of sessions" : undefined;
}

function isException(file, target, form) {
  return exceptions.some(({ from, to, by = form }) => from.test(file) && to.test(target) && by === form);
}

function problemOfRooms(from, to, target) {
  // The file itself is reported.
  if (from === undefined) return undefined;
  if (from.room === to.room && target === `${to.room}/index.ts`) return `${target} is for other rooms`;
  return isAllowed(from, to) ? undefined : `${from.name}/ does not import ${to.name}/`;
}

function isAllowed(from, to) {
  if (from.room !== to.room) return to.height < from.height || (isProgram(from) && isProgram(to));
  return from.inner === to.inner || to.innerHeight < from.innerHeight;
}

function isProgram({ room }) {
  return programs.includes(room);
}

const textOf = (node) => (node?.type === "Literal" && typeof node.value === "string" ? node.value : undefined);

const isType = ({ importKind, exportKind, specifiers = [] }) =>
  importKind === "type" ||
  exportKind === "type" ||
  (specifiers.length > 0 && specifiers.every((one) => one.importKind === "type" || one.exportKind === "type"));

const isCreateRequire = ({ type, name, property }) =>
  name === "createRequire" || (type === "MemberExpression" && property.name === "createRequire");

const isRequire = (callee) =>
  callee.name === "require" || (callee.type === "CallExpression" && isCreateRequire(callee.callee));

/** Calls back for each import of a file: the node to point at, the specifier (undefined if it is computed), the form. */
function visitImports(visit) {
  const declaration = (node) => {
    if (node.source) visit(node, textOf(node.source), isType(node) ? "type" : "static");
  };
  return {
    ImportDeclaration: declaration,
    ExportNamedDeclaration: declaration,
    ExportAllDeclaration: declaration,
    ImportExpression: (node) => visit(node, textOf(node.source), "import()"),
    TSImportType: (node) => visit(node, textOf(node.source ?? node.argument?.literal ?? node.argument), "type"),
    TSExternalModuleReference: (node) => visit(node, textOf(node.expression), "require"),
    CallExpression(node) {
      if (isRequire(node.callee)) visit(node, textOf(node.arguments[0]), "require");
    },
  };
}

const namesOnly = "src/index.ts holds names only: export { a } from";

const imports = {
  create(context) {
    const file = below(src, context.filename);
    const report = (node, message) =>
      context.report({ node, message: `${message}. See the table in scripts/rooms.mjs.` });
    return {
      ...visitImports((node, specifier, form) => {
        const problem =
          specifier === undefined ? "a computed specifier cannot be checked" : problemOf(file, specifier, form);
        if (problem !== undefined) report(node, problem);
      }),
      Program(node) {
        if (file === "index.ts") {
          // With names only, a bundler that needs one of them leaves the rest out.
          for (const statement of node.body) {
            if (statement.type !== "ExportNamedDeclaration" || !statement.source) report(statement, namesOnly);
          }
        } else if (placeOf(file) === undefined) {
          report(node, "this file is in no room");
        }
      },
    };
  },
};

const isGlobal = ({ name }) => ["globalThis", "global"].includes(name);

/** What of `process` leads to its environment. */
const leaks = ["env", "getBuiltinModule"];

/** Whoever gets hold of `process` as a value can read its environment unseen, so only `process.something` is allowed. */
const environment = {
  create(context) {
    if (below(src, context.filename) === environmentFile) return {};
    const report = (node) => context.report({ node, message: `Only src/${environmentFile} reads the environment.` });
    return {
      Identifier(node) {
        const { parent } = node;
        if (node.name !== "process") return;
        if (parent.type === "MemberExpression" && parent.property === node && !parent.computed) {
          if (isGlobal(parent.object)) report(node);
        } else if (parent.type === "Property" && parent.key === node && !parent.computed && !parent.shorthand) {
          // A key of that name.
        } else if (parent.type !== "MemberExpression" || parent.computed || leaks.includes(parent.property.name)) {
          report(node);
        }
      },
    };
  },
};

/** The names of all rooms, those included that are only planned. */
export const rooms = [...levels.flat(), ...programs];

export default { meta: { name: "rooms" }, rules: { imports, environment } };
