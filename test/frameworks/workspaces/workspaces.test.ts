// The ways of docs/schema.md to import our option into a schema, each in a workspace of npm and in one of pnpm.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const workspaces = join(root, ".cache", "workspaces");
const shipped = "node_modules/connect-session-activity/proto/sessionactivity/v1/options.proto";
const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));

/** Where the packages are that `packages/api` needs: npm puts them at the root of the workspace, pnpm into the package. */
const managers = [
  { name: "npm", home: ".", toPackage: "packages/api/" },
  { name: "pnpm", home: "packages/api", toPackage: "" },
] as const;

/** What a user writes: a gateway and a service, each by its schema. */
const program = `
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { createMemoryPublisher, createSessionActivityInterceptor, createSessionGatewayInterceptor } from "connect-session-activity";
import { AccountService } from "./gen/example/account/v1/account_pb.js";

const publisher = createMemoryPublisher();
const tracking = createSessionActivityInterceptor({ service: "account-service", publisher, log: false });
const marking = createSessionGatewayInterceptor({ session: () => "session" });
const clientWith = (interceptors: typeof marking[]) =>
  createClient(AccountService, createRouterTransport(
    (router) => router.service(AccountService, { changePassword: () => ({}), deleteAccount: () => ({}) }),
    { router: { interceptors: [tracking] }, transport: { interceptors } },
  ));
await clientWith([marking]).changePassword({});
await clientWith([]).changePassword({});
await clientWith([]).deleteAccount({});
await tracking.drain(5_000);
console.log(publisher.events.map(({ action, contextProblem }) => [action, contextProblem].join(" ").trim()).join());
`;

const compilerOptions = {
  module: "nodenext",
  target: "es2023",
  lib: ["es2023", "dom"],
  types: [],
  strict: true,
  skipLibCheck: true,
  rootDir: ".",
  outDir: "dist",
};

describe.each(managers)("in a workspace of $name", ({ name, home, toPackage }) => {
  const folder = join(workspaces, name);
  const api = join(folder, "packages", "api");
  const at = join(folder, home);

  const run = (command: string, args: readonly string[], cwd: string): string =>
    execFileSync(command, args, {
      cwd,
      encoding: "utf8",
      env: { ...process.env, PATH: [join(at, "node_modules", ".bin"), process.env["PATH"]].join(delimiter) },
    });

  /** Puts a file of examples/ where buf is run, with the paths from there. */
  function configure(example: string, file: string): void {
    const text = readFileSync(join(root, "examples", example), "utf8");
    writeFileSync(join(at, file), text.replaceAll(/(: )(proto|gen)$/gm, `$1${toPackage}$2`));
  }

  /** Compiles what was generated with a user's program, runs it, and gives the import of the options. */
  function compileAndRun(): string | undefined {
    run(process.execPath, [join(typescript, "bin", "tsc"), "-p", api], api);
    expect(run(process.execPath, ["dist/main.js"], api)).toBe("change_password,delete_account missing\n");
    const generated = readFileSync(join(api, "gen/example/account/v1/account_pb.ts"), "utf8");
    return /^import \{ file_sessionactivity_v1_options \} from "(.*)";$/m.exec(generated)?.[1];
  }

  beforeEach(() => {
    for (const left of ["proto", "gen", "dist"]) rmSync(join(api, left), { recursive: true, force: true });
    for (const place of [api, folder]) {
      for (const left of ["buf.yaml", "buf.gen.yaml"]) rmSync(join(place, left), { force: true });
    }
    mkdirSync(join(api, "proto/example/account/v1"), { recursive: true });
    cpSync(join(root, "proto/example/account/v1/account.proto"), join(api, "proto/example/account/v1/account.proto"));
    writeFileSync(join(api, "main.ts"), program);
    writeFileSync(join(api, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["main.ts"] }));
  });

  it("a copy of the option's file works", () => {
    mkdirSync(join(api, "proto/sessionactivity/v1"), { recursive: true });
    cpSync(join(at, shipped), join(api, "proto/sessionactivity/v1/options.proto"));
    // This repository has a copy, too: its own file.
    for (const file of ["buf.yaml", "buf.gen.yaml"]) cpSync(join(root, file), join(api, file));
    run("buf", ["lint"], api);
    run("buf", ["generate"], api);
    expect(compileAndRun()).toBe("../../../sessionactivity/v1/options_pb.js");
  });

  it("the option's file in the package works, with include_imports", () => {
    configure("schema/buf.yaml", "buf.yaml");
    configure("schema/buf.gen.yaml", "buf.gen.yaml");
    run("buf", ["lint"], at);
    run("buf", ["generate"], at);
    expect(compileAndRun()).toBe("../../../sessionactivity/v1/options_pb.js");
  });

  it("the generated code in the package works, with rewrite_imports", () => {
    configure("schema/buf.yaml", "buf.yaml");
    configure("schema/buf.gen.package.yaml", "buf.gen.yaml");
    run("buf", ["generate"], at);
    expect(compileAndRun()).toBe("connect-session-activity/sessionactivity/v1/options_pb.js");
  });
});
