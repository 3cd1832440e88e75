import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { readRecords } from "../kafka/kafka-fixtures.js";
import { nodePath } from "../support/node-versions.js";
import { type Served, type ServingSettings, startServing } from "./serving-process.js";
import { type Ending, type Load, openCalls, transports } from "./shutdown-load.js";

const count = 200;
const graceMs = 3_000;
const drainTimeoutMs = 2_000;

/** Opens 200 calls on a service, shuts it down, and waits until its process has ended. */
async function shutDownUnderLoad(
  node: string,
  settings: Pick<ServingSettings, "transport" | "brokers">,
): Promise<{ load: Load; served: Served; complaints: readonly string[]; exit: unknown }> {
  const service = startServing(node, { ...settings, openCalls: count, graceMs, drainTimeoutMs });
  const load = openCalls(settings.transport, Number(await service.said("listening")), count);
  onTestFinished(() => load.close());
  await service.said("open");
  service.shutDown();
  await service.said("told");
  load.told();
  const served: Served = JSON.parse(await service.said("done"));
  await load.ended;
  return { load, served, complaints: service.complaints, exit: await service.exit };
}

/** What callers must have seen, by how their calls end. A call that never ends is cut. */
const expected: Record<Ending, RegExp> = {
  soon: /^OK$/,
  late: /^OK$/,
  told: /^UNAVAILABLE$/,
  never: /^(?!OK$)/,
};

describe.each([22, 24])("on Node %i", (major) => {
  let node = "";
  beforeAll(() => {
    node = nodePath(major);
  }, 120_000);

  it.each(transports)(
    "a shutdown with 200 open calls on %s loses no event, and cuts no call that is answered in time",
    { timeout: 60_000 },
    async (transport) => {
      const { load, served, complaints, exit } = await shutDownUnderLoad(node, { transport });
      const wrong = load.calls.filter(({ ending, status }) => !expected[ending].test(status ?? ""));
      expect(wrong).toEqual([]);
      // Streams are told at once, all others when the grace is over. A client that stands still when that comes may see it late.
      const toldAfterMs = (isStream: boolean): number[] =>
        load.calls
          .filter(({ kind, ending }) => ending === "told" && (kind !== "unary") === isStream)
          .map(({ endedAfterMs = 0 }) => endedAfterMs)
          .sort((a, b) => a - b);
      expect(toldAfterMs(false)[0]).toBeGreaterThan(graceMs / 2);
      expect(toldAfterMs(true)[10]).toBeLessThan(graceMs);

      const marked = load.calls.filter((call) => call.marked);
      const events = new Map(served.events.map((event) => [event.context, event]));
      expect(served.events).toHaveLength(marked.length);
      expect([...events.keys()].sort()).toEqual(marked.map(({ id }) => id).sort());
      const untrue = marked.filter(
        ({ id, ending, status }) => events.get(id)?.status !== (ending === "never" ? "UNSETTLED" : status),
      );
      expect(untrue.map((call) => ({ ...call, event: events.get(call.id) }))).toEqual([]);
      expect(served.stats.interceptor).toMatchObject({ open: 0, tracked: marked.length, bypassed: 0, skipped: {} });
      expect(complaints).toEqual([expect.stringContaining("no Kafka brokers")]);
      expect(exit).toBe(0);
    },
  );
});

it("delivers the events of 200 open calls to Kafka", { timeout: 60_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const settings = { transport: "h2c", brokers: kafka.brokers } as const;
  const { load, served, complaints, exit } = await shutDownUnderLoad(process.execPath, settings);
  const marked = load.calls.filter((call) => call.marked);
  expect(served.stats.publisher).toEqual({
    offered: marked.length,
    delivered: marked.length,
    dropped: {},
    queued: 0,
  });
  expect(await readRecords(kafka.brokers, "session-activities", marked.length)).toHaveLength(marked.length);
  expect([complaints, served.events, exit]).toEqual([[], [], 0]);
});
