import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createEventRecord } from "../../src/publishing/event-record.js";
import { createTestPublisher, createTestTracking } from "../../src/testing/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { refusalOf } from "../support/refusal.js";

afterEach(() => void vi.useRealTimers());

const event = (id: string) => createEventRecord(eventOf({ id, at: 1 }));

describe("waitFor", () => {
  it("resolves with the events as soon as there are enough, whether they came before or after", async () => {
    const publisher = createTestPublisher();
    publisher.publish(event("a"));
    expect((await publisher.waitFor(1)).map(({ action }) => action)).toEqual(["action-a"]);
    const two = publisher.waitFor(2);
    const three = publisher.waitFor(3);
    publisher.publish(event("b"));
    expect(await two).toHaveLength(2);
    publisher.publish(event("c"));
    expect((await three).map(({ action }) => action)).toEqual(["action-a", "action-b", "action-c"]);
  });

  it("resolves with the event that fits", async () => {
    const publisher = createTestPublisher();
    const found = publisher.waitFor(({ action }) => action === "action-b");
    publisher.publish(event("a"));
    publisher.publish(event("b"));
    expect(await found).toBe(publisher.events[1]);
    expect(await publisher.waitFor(({ action }) => action === "action-a")).toBe(publisher.events[0]);
  });

  it("rejects when the time is over, and says what came", async () => {
    const publisher = createTestPublisher();
    await expect(publisher.waitFor(1, { timeoutMs: 1 })).rejects.toThrow("waited 1 ms for 1 event, got none");
    publisher.publish(event("a"));
    await expect(publisher.waitFor(2, { timeoutMs: 1 })).rejects.toThrow(
      "waited 1 ms for 2 events, got 1: action-a OK",
    );
    await expect(publisher.waitFor(() => false, { timeoutMs: 1 })).rejects.toThrow("for an event that fits, got 1:");
  });

  it("rejects with what the predicate throws", async () => {
    const publisher = createTestPublisher();
    const broken = publisher.waitFor(() => {
      throw new Error("broken");
    });
    publisher.publish(event("a"));
    await expect(broken).rejects.toThrow("broken");
  });

  it("refuses what is no number of events", async () => {
    const publisher = createTestPublisher();
    await expect(publisher.waitFor(0)).rejects.toThrow(
      "must be a number of events from 1 upward, or a function, got 0",
    );
    await expect(publisher.waitFor(1, { timeoutMs: -1 })).rejects.toMatchObject({ option: "timeoutMs" });
  });
});

it("forgets events, and keeps the counts", async () => {
  const publisher = createTestPublisher();
  publisher.publish(event("a"));
  publisher.clear();
  expect(publisher.events).toEqual([]);
  publisher.publish(event("b"));
  expect((await publisher.waitFor(1)).map(({ action }) => action)).toEqual(["action-b"]);
  expect(await publisher.close()).toMatchObject({ offered: 2, delivered: 2 });
});

describe("createTestTracking", () => {
  it("takes the interceptor's options, and no publisher", () => {
    const publisher = createTestPublisher();
    expect(refusalOf(() => createTestTracking({ publisher } as never))).toMatchObject({ code: "ERR_OPTION_UNKNOWN" });
    expect(createTestTracking().stats().publisher.offered).toBe(0);
  });

  it.each([
    ["connect", true],
    ["grpc", true],
    ["connect", false],
    ["grpc", false],
  ] as const)(
    "records calls while timers are fake, at the faked date (%s, contextValues: %j)",
    async (protocol, isSeen) => {
      const { interceptor, publisher } = createTestTracking();
      const handlers = {
        changePassword: () => ({}),
        async *watchSessions() {
          yield {};
        },
      };
      const { contextValues } = interceptor;
      const options = { interceptors: [interceptor], ...(isSeen ? { contextValues } : {}) };
      const client = accountClient(await startAccountServer(handlers, options), protocol);
      // The connection is the client's affair.
      await client.changePassword({});
      vi.useFakeTimers({ now: Date.UTC(2031, 0, 2) });
      await client.changePassword({}, { headers: marks() });
      for await (const _ of client.watchSessions({}, { headers: marks() }));
      // A client that leaves a stream early.
      for await (const _ of client.watchSessions({}, { headers: marks() })) break;
      for (const { service, startedAt, completedAt } of await publisher.waitFor(3)) {
        expect(service).toBe("test-service");
        expect(startedAt && timestampDate(startedAt)).toEqual(new Date(Date.UTC(2031, 0, 2)));
        expect(completedAt && timestampDate(completedAt)).toEqual(new Date(Date.UTC(2031, 0, 2)));
      }
    },
  );

  it("gives up waiting while timers are fake", async () => {
    vi.useFakeTimers();
    await expect(createTestPublisher().waitFor(1, { timeoutMs: 1 })).rejects.toThrow("waited 1 ms");
  });
});
