// The cells of the dead-letter topic. When the last ones run, consumers of the first ones are still leaving, and their brokers are
// gone. If these held threads of Node's pool, nothing could be closed any more.
import { expect } from "vitest";
import type { ConsumerStats } from "../../src/kafka/index.js";
import { write, writeEvents } from "../kafka/consumer/consumer-fixtures.js";
import { api, type Fault, failProduce } from "../kafka/proxy.js";
import { until } from "../support/until.js";
import { garble, type ReadingComponent, startKafka, startReading } from "./failing-kafka.js";
import { observedLog } from "./observed-log.js";
import { runCells, type Starts, type Subject } from "./run-cells.js";

/** A reader that has to set a record aside, while that fails. An event after it shows whether the partition goes on. */
async function startSettingAside(
  component: ReadingComponent,
  fault: Fault,
  end: Partial<ConsumerStats>,
): Promise<Subject> {
  const { door, brokers } = await startKafka();
  const log = observedLog();
  const reader = startReading(component, log, { brokers: door.address, deadLetterTopic: "dead-letters" });
  await writeEvents(brokers, "session-activities", [1, 1], [0]);
  return {
    log,
    stats: reader.stats,
    works: () => until(() => reader.consumed()?.handled === 1, reader.stats),
    async fail() {
      door.fault = fault;
      await write(brokers, "session-activities", [{ partition: 0, value: Buffer.from("no event") }]);
      await writeEvents(brokers, "session-activities", [2, 2], [0]);
    },
    async recover() {
      door.fault = undefined;
      await until(() => reader.consumed()?.handled === 2, reader.stats);
      expect(reader.consumed()).toMatchObject({ ...end, problems: [] });
    },
  };
}

/** A fault of what is written to the dead-letter topic, and of nothing else. */
function ofDeadLetters(fault: Fault): Fault {
  return (answer) => (answer.api === api.produce && answer.body.includes("dead-letters") ? fault(answer) : undefined);
}

/** Holds an answer back for a while. */
function untilHealed(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 2_000);
  });
}

const oneAside = { invalid: { undecodable: 1 }, lost: 0 };

const settingAside = (component: ReadingComponent): Starts => ({
  [`is absent: ${component}`]: () => startSettingAside(component, failProduce("dead-letters", 3), oneAside),
  [`refuses (connections break): ${component}`]: () =>
    startSettingAside(
      component,
      ofDeadLetters(() => "break"),
      oneAside,
    ),
  [`hangs: ${component}`]: () => startSettingAside(component, ofDeadLetters(untilHealed), oneAside),
  [`answers wrongly (its answers are garbled): ${component}`]: () =>
    startSettingAside(
      component,
      ofDeadLetters(({ body }) => garble(body)),
      oneAside,
    ),
  [`refuses for good (no right to write): ${component}`]: () =>
    startSettingAside(component, failProduce("dead-letters", 29), oneAside),
  [`refuses for good (it takes no record, however small): ${component}`]: () =>
    startSettingAside(component, failProduce("dead-letters", 10), { lost: 1 }),
});

runCells("npm test", "dead-letter topic", { ...settingAside("consumer"), ...settingAside("history worker") });
