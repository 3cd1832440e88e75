// What is in the package: its links resolve inside it, and what needs no Kafka works without the Kafka client.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { linesOutsideCode } from "../docs/pages.js";
import { createProject, pack, packedFiles } from "./project.js";

let packed: string;
let tarball: string;
beforeAll(() => {
  packed = mkdtempSync(join(tmpdir(), "packed-"));
  tarball = pack(packed);
});
afterAll(() => rmSync(packed, { recursive: true, force: true }));

it("each relative link of its pages leads to what is in it", () => {
  const files = packedFiles(tarball);
  const pages = files.filter((name) => name.endsWith(".md"));
  expect(pages).toEqual(expect.arrayContaining(["README.md", "docs/kafka.md", "CHANGELOG.md"]));
  const dead = pages.flatMap((page) => {
    const links = [
      ...linesOutsideCode(page)
        .join("\n")
        .matchAll(/\]\((?!https?:|#)([^)#\s]+)/g),
    ];
    return links
      .map(([, target = ""]) => normalize(join(dirname(page), target)))
      .filter((target) => !files.some((name) => name === target || name.startsWith(`${target}/`)))
      .map((target) => `${page}: ${target}`);
  });
  expect(dead).toEqual([]);
});

it("interceptor, gateway, signatures and signal history work without the Kafka client", async () => {
  const project = createProject(tarball);
  await project.type(
    "npm init -y && npm pkg set type=module && npm install connect-session-activity @connectrpc/connect @bufbuild/protobuf jose @electric-sql/pglite",
  );
  expect(readdirSync(join(project.folder, "node_modules"))).not.toContain("@confluentinc");
  project.save(
    "use.js",
    `import { createMemoryPublisher, createSessionActivityInterceptor, createSessionGatewayInterceptor } from "connect-session-activity";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "connect-session-activity/signature";
import { createSignalHistory, openSignalDatabase } from "connect-session-activity/history";
import { startSessionTracking } from "connect-session-activity/kafka";

createSessionActivityInterceptor({ service: "a", publisher: createMemoryPublisher() });
const sign = createSessionSigner({ keyFile: "session-keys/signing-key.json", audience: "a" });
createSessionGatewayInterceptor({ session: () => "s", operations: [], sign });
const mark = { procedure: "/a/b", operation: "c", context: "s" };
const verifier = createSessionVerifier({ keys: createSessionKeySet({ keysFile: "session-keys/jwks.json" }), audience: "a" });
const database = openSignalDatabase({ url: "database" });
await createSignalHistory({ database }).close();
await database.close();
await startSessionTracking({ log: false }).shutDown();
console.log("problem:", await verifier.verify(mark, await sign.sign(mark)));
`,
  );
  await project.type("npx session-activity keys create");
  expect(await project.type("node use.js")).toBe("problem: undefined\n");
});
