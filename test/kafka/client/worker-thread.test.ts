import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { root } from "../../support/root.js";

/** Runs code in a worker thread of a process of its own, for the client would end that. Gives what it prints. */
function runInWorkerThread(code: string): string {
  const inside = `
    import("connect-session-activity/kafka").then(async (kafka) => {
      const codeOf = async (work) => { try { await work(); } catch (error) { return error.code + " " + error.message; } };
      ${code}
    });`;
  const outside = `
    const worker = new (require("node:worker_threads").Worker)(${JSON.stringify(inside)}, { eval: true });
    worker.on("exit", (code) => console.log("the process lives, " + code));`;
  const options = { cwd: root, encoding: "utf8", timeout: 20_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", outside], options);
  expect(status, stderr).toBe(0);
  expect(stdout).toContain("the process lives, 0");
  return stdout + stderr;
}

it("publisher, consumer and embedded broker throw in a worker thread", () => {
  const printed = runInWorkerThread(`
    console.log(await codeOf(() => kafka.createKafkaPublisher({ brokers: "b:9092" })));
    console.log(await codeOf(() => kafka.createSessionActivityConsumer({
      brokers: "b:9092", groupId: "g", handle() {}, onInvalid() {}, env: false,
    })));
    console.log(await codeOf(() => kafka.startEmbeddedKafka()));`);
  expect(
    printed.match(/^ERR_KAFKA_CLIENT_WORKER_THREAD The Kafka client does not work in a worker thread/gm),
  ).toHaveLength(3);
  expect(printed).toContain('pool: "forks"');
});

it("session tracking starts in a worker thread, says once why nothing is recorded, and counts", () => {
  const printed = runInWorkerThread(`
    const tracking = kafka.startSessionTracking({ service: "s", kafka: { brokers: "b:9092" }, env: false });
    for (let i = 0; i < 3; i++) tracking.publisher.publish({});
    console.log(JSON.stringify([tracking.ready().problems, (await tracking.shutDown()).publisher]));`);
  expect(printed).toContain(
    '[["not_watched","no_client"],{"offered":3,"delivered":0,"dropped":{"no_client":3},"queued":0}]',
  );
  expect(printed.match(/error no_client: session activity is not recorded/g)).toHaveLength(1);
});
