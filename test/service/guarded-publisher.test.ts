import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createTroubleLog } from "../../src/base/log.js";
import { createMemoryPublisher, type Publisher } from "../../src/index.js";
import type { Call } from "../../src/outcome/caller.js";
import { startEvent } from "../../src/service/event.js";
import { createGuardedPublisher } from "../../src/service/guarded-publisher.js";
import { createSkippedCalls } from "../../src/service/skipped-calls.js";
import { createWaits } from "../../src/service/waits.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { until } from "../support/until.js";
import { shortenPatience } from "../support/wait-limits.js";
import { ok, tracking } from "./tracking-fixture.js";

describe("the publisher", () => {
  it("that throws harms no call and is counted", async () => {
    const publisher: Publisher = {
      ...createMemoryPublisher(),
      publish() {
        throw new Error("full of c2Vzc2lvbg");
      },
    };
    const { adapter, interceptor, warnings } = tracking({ publisher });
    const server = await startAccountServer(ok, adapter);
    expect(await accountClient(server).changePassword({}, { headers: marks() })).toMatchObject({ revision: 1 });
    await until(() => interceptor.stats().skipped.publisher_error === 1);
    expect(JSON.stringify(warnings)).not.toContain("c2Vzc2lvbg");
  });

  it("that is missing: calls run, one warning, events counted as dropped", async () => {
    const { adapter, interceptor, warnings } = tracking({ publisher: undefined });
    const server = await startAccountServer(ok, adapter);
    for (let i = 0; i < 3; i++) await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => interceptor.stats().dropped === 3);
    expect(warnings).toHaveLength(1);
  });

  it("learns of the start, and may refuse the call before the handler runs", async () => {
    const memory = createMemoryPublisher();
    const begun: bigint[] = [];
    let verdict: undefined | "refuse" | Error;
    const publisher: Publisher = {
      ...memory,
      async begin(start) {
        begun.push(start.sequence);
        if (verdict instanceof Error) throw verdict;
        return verdict;
      },
    };
    let handled = 0;
    const { adapter, interceptor } = tracking({ publisher });
    const server = await startAccountServer({ changePassword: () => ({ revision: ++handled }) }, adapter);
    const client = accountClient(server);
    await client.changePassword({}, { headers: marks() });
    verdict = "refuse";
    await expect(client.changePassword({}, { headers: marks() })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
    verdict = new Error("broken disk");
    await client.changePassword({}, { headers: marks() });
    await until(() => memory.events.length === 2);
    expect(handled).toBe(2);
    expect(begun).toEqual([0n, 0n, 0n]);
    expect(interceptor.stats()).toMatchObject({ open: 0, tracked: 3, skipped: { refused: 1, publisher_error: 1 } });
  });
});

describe("a publisher whose begin never settles", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("holds a call up for 5 s, and no longer: its event is published, and the publisher is named until it answers", async () => {
    shortenPatience();
    const memory = createMemoryPublisher();
    const answers: (() => void)[] = [];
    const begin = (): Promise<void> => new Promise((resolve) => answers.push(resolve));
    const { adapter, interceptor, warnings } = tracking({ publisher: { ...memory, begin } });
    const client = accountClient(await startAccountServer(ok, adapter));
    expect(await client.changePassword({}, { headers: marks() })).toMatchObject({ revision: 1 });
    await until(() => memory.events.length === 1);
    expect(interceptor.stats()).toMatchObject({ stalled: { publisher: 1 }, tracked: 1, skipped: {}, open: 0 });
    expect(interceptor.problems()).toEqual(["publisher_stalled"]);
    const procedure = "/example.account.v1.AccountService/ChangePassword";
    expect(warnings).toMatchObject([{ details: { kind: "publisher_stalled", procedure } }]);
    answers[0]?.();
    await until(() => interceptor.problems().length === 0);
  });
});

describe("a guarded publisher", () => {
  const call = { method: AccountService.method.changePassword } as Partial<Call> as Call;

  const source = { service: "account-service", instanceId: "instance", maxContextBytes: 100, recorder: undefined };
  const event = startEvent(source, call.method, new Headers(), { kind: "empty" }, { kind: "believed" }, 0);

  function guarded(changes: Partial<Publisher> | undefined) {
    const memory = createMemoryPublisher();
    const log = createTroubleLog(false);
    const skipped = createSkippedCalls(log);
    const settings = { publisher: changes && { ...memory, ...changes }, onDrop: undefined };
    const publisher = createGuardedPublisher(settings, skipped, createWaits(log), log);
    const publish = () => {
      publisher.publish(event, call);
    };
    return { publisher, publish, skipped, events: memory.events };
  }

  it("numbers events from 1, also those that are lost", () => {
    const given: bigint[] = [];
    let broken = false;
    const memory = createMemoryPublisher();
    const { publish, skipped } = guarded({
      publish(record) {
        given.push(record.sequence);
        if (broken) throw new Error("broken");
        memory.publish(record);
      },
    });
    for (const isBroken of [false, false, true, false]) {
      broken = isBroken;
      publish();
    }
    expect(given).toEqual([1n, 2n, 3n, 4n]);
    expect(memory.events.map(({ sequence }) => sequence)).toEqual([1n, 2n, 4n]);
    expect(skipped.stats()).toEqual({ publisher_error: 1 });
  });

  it("counts an event that an async publisher loses, in spite of its type", async () => {
    const publish = (): never => Promise.reject(new Error("broken")) as never;
    const { publish: publishOne, skipped } = guarded({ publish });
    publishOne();
    await until(() => skipped.stats().publisher_error === 1);
  });

  it("counts what is dropped without a publisher, and accepts every call", async () => {
    const { publisher, publish, skipped } = guarded(undefined);
    expect(publisher.notesStarts).toBe(false);
    publish();
    publish();
    expect(publisher.dropped).toBe(2);
    expect(skipped.stats()).toEqual({});
    await expect(publisher.begin(event, call)).resolves.toBe("accepted");
  });

  const answers: [string, NonNullable<Publisher["begin"]>, "accepted" | "refused", object][] = [
    ["nothing", () => {}, "accepted", {}],
    ["nothing, later", () => Promise.resolve(), "accepted", {}],
    ["refuse", () => "refuse", "refused", {}],
    ["refuse, later", () => Promise.resolve("refuse"), "refused", {}],
    ["something else", () => JSON.parse("true"), "accepted", {}],
    ["a rejection", () => Promise.reject(new Error("broken")), "accepted", { publisher_error: 1 }],
    [
      "an error",
      () => {
        throw new Error("broken");
      },
      "accepted",
      { publisher_error: 1 },
    ],
  ];
  it.each(answers)("takes %s for an answer to a start", async (_, begin, expected, counts) => {
    const { publisher, skipped } = guarded({ begin });
    expect(publisher.notesStarts).toBe(true);
    await expect(publisher.begin(event, call)).resolves.toBe(expected);
    expect(skipped.stats()).toEqual(counts);
  });
});
