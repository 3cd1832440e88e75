// What docs/schema.md says of our option, in a project in plain JavaScript: the one that docs/getting-started.md makes with npm.
import { expect, it } from "vitest";
import { blocksOf } from "../docs/pages.js";
import { createProject, type Project, packForFile, sectionOf } from "./project.js";

const start = sectionOf("docs/getting-started.md", "With npm");
const schema = blocksOf("docs/schema.md");

const tarball = packForFile();

const startFile = (name: string): string => start.find(({ file }) => file === `examples/start/${name}`)!.code;
/** "In JavaScript, leave `target=ts` out." */
const schemaFile = (name: string): string =>
  schema.find(({ file }) => file === `examples/schema/${name}`)!.code.replace("      - target=ts\n", "");

/** The schema of the start page, whose method is declared as docs/schema.md shows it. */
const proto = startFile("proto/account.proto")
  .replace("package start.v1;\n", 'package start.v1;\n\nimport "sessionactivity/v1/options.proto";\n')
  .replace(
    "returns (ChangePasswordResponse);",
    'returns (ChangePasswordResponse) {\n    option (sessionactivity.v1.activity) = { operation: "change_password" required: true };\n  }',
  );

/** A service whose schema says what its gateway does not: a call without a mark has an event all the same. */
const program = `
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { createMemoryPublisher, createSessionActivityInterceptor } from "connect-session-activity";
import { AccountService } from "./gen/account_pb.js";

const publisher = createMemoryPublisher();
const tracking = createSessionActivityInterceptor({ service: "account-service", publisher, log: false });
const transport = createRouterTransport(
  (router) => router.service(AccountService, { changePassword: () => ({}) }),
  { router: { interceptors: [tracking] } },
);
await createClient(AccountService, transport).changePassword({});
await tracking.drain(5_000);
console.log(publisher.events.map(({ action, contextProblem }) => [action, contextProblem].join(" ")).join());
`;

/** Generates the code, runs the program by it, and answers with where the code of the option comes from. */
async function generateAndRun(project: Project): Promise<string> {
  await project.type(start.find(({ code }) => code.includes("buf generate"))!.code);
  expect(await project.type("node main.js")).toBe("change_password missing\n");
  return project.type('grep -o \'"[^"]*options_pb.js"\' gen/account_pb.js; rm -r gen');
}

it("the option works in plain JavaScript, in each way to import it", async () => {
  const project = createProject(tarball());
  await project.type(start.find(({ code }) => code.includes("npm install"))!.code);
  project.save("proto/account.proto", proto);
  project.save("main.js", program);

  // Copy the file.
  project.save("buf.gen.yaml", startFile("buf.gen.yaml"));
  await project.type(
    "mkdir -p proto/sessionactivity/v1 && cp node_modules/connect-session-activity/proto/sessionactivity/v1/options.proto proto/sessionactivity/v1/",
  );
  expect(await generateAndRun(project)).toBe('"./sessionactivity/v1/options_pb.js"\n');

  // From the package.
  await project.type("rm -r proto/sessionactivity");
  project.save("buf.yaml", schemaFile("buf.yaml"));
  project.save("buf.gen.yaml", schemaFile("buf.gen.yaml"));
  expect(await generateAndRun(project)).toBe('"./sessionactivity/v1/options_pb.js"\n');

  // With the package's code.
  project.save("buf.gen.yaml", schemaFile("buf.gen.package.yaml"));
  expect(await generateAndRun(project)).toBe('"connect-session-activity/sessionactivity/v1/options_pb.js"\n');
});
