import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asNativeError, loadKafkaClient } from "../../../src/kafka/client/kafka-client.js";
import { dropReason, mappedErrorNames } from "../../../src/kafka/publisher/drop-reason.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const packages = join(root, "node_modules");

describe("in a process of its own", () => {
  // A build of this package in a folder of its own, with all that is installed here but the client.
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "session-activity-"));
    spawnSync(
      process.execPath,
      [join(packages, "typescript/bin/tsc"), "-p", "tsconfig.build.json", "--outDir", folder],
      {
        cwd: root,
      },
    );
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    mkdirSync(join(folder, "node_modules"));
    for (const name of readdirSync(packages)) {
      if (name !== "@confluentinc" && !name.startsWith("."))
        symlinkSync(join(packages, name), join(folder, "node_modules", name));
    }
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs code beside the build, with the entry point as `kafka`, and gives what it prints. */
  function run(code: string): string {
    const script = `import * as kafka from "./src/kafka/index.js"; ${code}`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: folder,
      encoding: "utf8",
      timeout: 20_000,
    });
    return stdout + stderr;
  }

  test("with the client, the process ends when all is closed", () => {
    symlinkSync(join(packages, "@confluentinc"), join(folder, "node_modules/@confluentinc"));
    const printed = run(`
      const embedded = await kafka.startEmbeddedKafka();
      const publisher = kafka.createKafkaPublisher({ brokers: embedded.brokers });
      console.log(JSON.stringify(await publisher.close()));
      await embedded.close();
      process.on("exit", () => console.log("ended"));`);
    rmSync(join(folder, "node_modules/@confluentinc"));
    expect(printed).toBe('{"offered":0,"delivered":0,"dropped":{},"queued":0}\nended\n');
  });

  test("importing ./kafka works without the client", () => {
    expect(run("console.log(Object.keys(kafka).join())")).toContain("createKafkaPublisher");
  });

  test("a publisher with brokers says at once what to install", () => {
    expect(
      run('try { kafka.createKafkaPublisher({ brokers: "b:9092" }) } catch (e) { console.log(e.code, e.message) }'),
    ).toBe(
      "ERR_KAFKA_CLIENT_MISSING The Kafka client is not installed. Run: npm install @confluentinc/kafka-javascript\n",
    );
  });

  test("session tracking starts all the same, says once what to install, and counts", () => {
    const printed = run(`
      const tracking = kafka.startSessionTracking({ service: "s", kafka: { brokers: "b:9092" } });
      for (let i = 0; i < 3; i++) tracking.publisher.publish({}, (outcome) => console.log(outcome));
      console.log(JSON.stringify([tracking.ready().problems, await tracking.close()]));`);
    expect(printed).toContain(
      '[["not_watched","no_client"],{"offered":3,"delivered":0,"dropped":{"no_client":3},"queued":0}]',
    );
    expect(printed.match(/^no_client$/gm)).toHaveLength(3);
    expect(printed.match(/npm install @confluentinc/g)).toHaveLength(1);
    expect(printed).toContain("connect-session-activity error no_client: session activity is not recorded.");
  });

  test("a wrong option is told before that", () => {
    expect(run('try { kafka.createKafkaPublisher({ brokers: "" }) } catch (e) { console.log(e.message) }')).toContain(
      "brokers must be",
    );
  });

  test("the embedded Kafka says so too", () => {
    expect(run("await kafka.startEmbeddedKafka().catch((e) => console.log(e.message))")).toContain("npm install");
  });

  test("where only its native part is missing, the error says how to get it", () => {
    const client = "@confluentinc/kafka-javascript";
    const installed = join(folder, "node_modules", client);
    for (const part of ["package.json", "lib", "librdkafka.js"]) {
      cpSync(join(packages, client, part), join(installed, part), { recursive: true });
    }
    const message = run(
      'try { kafka.createKafkaPublisher({ brokers: "b:9092" }) } catch (e) { console.log(e.code, e.message) }',
    );
    rmSync(join(folder, "node_modules/@confluentinc"), { recursive: true });
    expect(message).toContain(
      "ERR_KAFKA_CLIENT_NOT_BUILT The native part of @confluentinc/kafka-javascript is missing",
    );
    expect(message).not.toContain("Tried:");
    expect(message).toContain('Run "npx session-activity install-kafka-client"');
  });
});

describe("the client's errors", () => {
  test("each name that is mapped to a reason exists in the client's table", () => {
    const client = loadKafkaClient();
    const names = new Set<string | undefined>();
    for (let code = -200; code < 200; code += 1) names.add(client.codeName(code));
    expect(mappedErrorNames.filter((name) => !names.has(name))).toEqual([]);
  });

  test("codes become reasons", () => {
    const client = loadKafkaClient();
    const reasonOf = (code: number) => dropReason(client.codeName(code));
    expect([-184, 10, -192, -188, 3, 29, 31, -169, 32, -150, -152, 87, 12_345].map(reasonOf)).toEqual([
      "queue_full",
      "too_large",
      "expired",
      "unknown_topic",
      "unknown_topic",
      "unauthorized",
      "unauthorized",
      "unauthorized",
      "invalid_timestamp",
      "fatal",
      "fatal",
      "invalid_record",
      "error",
    ]);
    expect(dropReason("toString")).toBe("error");
  });

  test("whatever is thrown becomes an error with a code", () => {
    expect(asNativeError(Object.assign(new Error("full"), { code: -184 }))).toEqual({ message: "full", code: -184 });
    expect(asNativeError(new Error("odd"))).toEqual({ message: "odd", code: -1 });
    expect(asNativeError("text")).toEqual({ message: "text", code: -1 });
  });
});
