import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { leafHash } from "../../src/publishing/leaf-hash.js";
import type { DropReason, Publisher } from "../../src/publishing/publisher.js";
import { noteLast } from "../../src/spool/interrupted.js";
import { closeRuns, type RunClosing } from "../../src/spool/run-closing.js";
import { checksumSeal } from "../../src/spool/seal.js";
import { asideKey, finishedKey, runKey } from "../../src/spool/spool-keys.js";
import type { SpoolOperation } from "../../src/spool/spool-store.js";
import { MemoryStore } from "./memory-store.js";
import { TestPublisher } from "./spool-fixtures.js";

const dayMs = 24 * 60 * 60_000;

function keptRun(instanceId: string, more: MessageInitShape<typeof SessionActivityRunSchema> = {}): SpoolOperation {
  const init: MessageInitShape<typeof SessionActivityRunSchema> = {
    instanceId,
    service: "account-service",
    state: "RUNNING",
    startedAt: timestampFromMs(1_000),
    at: timestampFromMs(Date.now()),
    lastSequence: 3n,
    spooled: true,
    counts: { delivered: 2n },
  };
  const run = create(SessionActivityRunSchema, Object.assign(init, more));
  return { type: "put", key: runKey(instanceId), value: toBinary(SessionActivityRunSchema, run) };
}

function aside(reason: string, instanceId: string, sequence: bigint, value: Uint8Array): SpoolOperation {
  return { type: "put", key: asideKey(reason, finishedKey({ instanceId, sequence })), value };
}

/** A store that takes every write at once. */
class QuickStore extends MemoryStore {
  override async write(operations: readonly SpoolOperation[]): Promise<void> {
    const written = super.write(operations);
    this.step(true);
    await written;
  }
}

interface Scene {
  readonly store: QuickStore;
  readonly records: SessionActivityRun[];
  outcome: "delivered" | DropReason;
  close(atOnce?: number): Promise<RunClosing>;
}

async function sceneOf(...operations: readonly SpoolOperation[]): Promise<Scene> {
  const store = new QuickStore();
  await store.write(operations);
  const records: SessionActivityRun[] = [];
  const publisher: Publisher = Object.assign(new TestPublisher(), {
    publishRun: ((record, settled) => {
      records.push(fromBinary(SessionActivityRunSchema, record.bytes));
      settled(scene.outcome);
    }) satisfies Publisher["publishRun"],
  });
  const scene: Scene = { store, records, outcome: "delivered", close: (atOnce) => closeRuns(store, publisher, atOnce) };
  return scene;
}

describe("closing the run of a dead process", () => {
  it("says RECOVERED with the last number that the store knows, and forgets the run", async () => {
    const { store, records, close } = await sceneOf(keptRun("run-1"), noteLast("run-1", 5n));
    expect(await close()).toEqual({ kind: "closed", runs: 1 });
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      instanceId: "run-1",
      service: "account-service",
      state: "RECOVERED",
      startedAt: { seconds: 1n },
      lastSequence: 5n,
      confirmedSequence: 5n,
      losses: [],
      spooled: true,
    });
    expect(records[0]).not.toHaveProperty("counts");
    expect([...store.entries.keys()]).toEqual(["last/run-1"]);
    expect(await close()).toEqual({ kind: "closed", runs: 0 });
  });

  it("declares what the run had to declare, and what was set aside, in groups", async () => {
    const value = Buffer.from("bytes");
    const { records, close } = await sceneOf(
      keptRun("run-1", { losses: [{ sequence: 1n, reason: "expired" }] }),
      aside("too_large", "run-1", 2n, value),
      aside("too_large", "run-2", 2n, value),
      aside("invalid_record", "run-1", 3n, value),
      { type: "put", key: "aside/damaged/started/run-1/event-1", value },
    );
    expect(await close(1)).toEqual({ kind: "closed", runs: 1 });
    const losses = records.flatMap((record) => record.losses);
    expect(losses.map(({ sequence, reason }) => [sequence, reason])).toEqual([
      [1n, "expired"],
      [3n, "invalid_record"],
      [2n, "too_large"],
    ]);
    expect(Buffer.from(losses[1]!.leafHash)).toEqual(Buffer.from(leafHash(value)));
    expect(records).toHaveLength(3);
  });

  it("knows the number of an event whose bytes are damaged", async () => {
    const scene = await sceneOf(keptRun("run-1"));
    scene.store.entries.set(asideKey("damaged", finishedKey({ instanceId: "run-1", sequence: 3n })), Buffer.from("x"));
    await scene.close();
    expect(scene.records.flatMap(({ losses }) => losses)).toMatchObject([
      { sequence: 3n, reason: "damaged", leafHash: new Uint8Array() },
    ]);
  });

  it("leaves the run for the next time if Kafka does not take the record", async () => {
    const scene = await sceneOf(keptRun("run-1"), keptRun("run-2"));
    scene.outcome = "unauthorized";
    expect(await scene.close()).toEqual({ kind: "left", runs: 0, reason: "unauthorized" });
    scene.outcome = "delivered";
    expect(await scene.close()).toEqual({ kind: "closed", runs: 2 });
  });

  it.each([
    ["unauthorized", true],
    ["unknown_topic", true],
    ["expired", false],
    ["closed", false],
  ] as const)("after a day of %s gives up: %s", async (reason, givesUp) => {
    const scene = await sceneOf(keptRun("run-1", { at: timestampFromMs(Date.now() - dayMs - 1_000) }));
    scene.outcome = reason;
    expect(await scene.close()).toEqual({ kind: "left", runs: 0, reason });
    expect(scene.store.entries.has(runKey("run-1"))).toBe(!givesUp);
  });

  it("drops a run whose record is damaged, or that nobody records any more", async () => {
    const damaged = await sceneOf();
    damaged.store.entries.set(runKey("run-1"), Buffer.from("x"));
    const nonsense = checksumSeal.seal(runKey("run-2"), Buffer.from([255]));
    damaged.store.entries.set(runKey("run-2"), nonsense);
    expect(await damaged.close()).toEqual({ kind: "closed", runs: 2 });
    expect(damaged.records).toEqual([]);
    const unrecorded = await sceneOf(keptRun("run-1"));
    expect(await closeRuns(unrecorded.store, new TestPublisher())).toEqual({ kind: "closed", runs: 1 });
  });
});
