import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { ClassicLevel } from "classic-level";
import { onTestFinished } from "vitest";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createEventRecord, type EventRecord } from "../../src/publishing/event-record.js";
import type { DropReason, Publisher, PublisherStats, Settled } from "../../src/publishing/publisher.js";
import { createDurablePublisher, type DurablePublisher, type DurablePublisherOptions } from "../../src/spool/index.js";

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "spool-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The calls of one run. */
export class CallMaker {
  readonly instanceId: string;
  #sequence = 0n;
  #calls = 0;

  constructor(instanceId = "run-1") {
    this.instanceId = instanceId;
  }

  /** An event as it is at the start of a call. */
  start(): SessionActivityEvent {
    this.#calls += 1;
    const eventId = `${this.instanceId}-event-${this.#calls}`;
    return create(SessionActivityEventSchema, {
      eventId,
      instanceId: this.instanceId,
      service: "account-service",
      startedAt: timestampNow(),
    });
  }

  /** Its record at the end. */
  end(event: SessionActivityEvent): EventRecord {
    this.#sequence += 1n;
    return createEventRecord({ ...event, status: "OK", sequence: this.#sequence });
  }
}

/** Makes a call, and gives its event. Answers what `begin` said. */
export async function makeCall(
  publisher: Pick<DurablePublisher, "begin" | "publish">,
  calls: CallMaker,
): ReturnType<DurablePublisher["begin"]> {
  const event = calls.start();
  const answer = await publisher.begin(createEventRecord(event));
  publisher.publish(calls.end(event));
  return answer;
}

/** Opens a durable publisher until the test is over. */
export function openSpool(options: Partial<DurablePublisherOptions> = {}): {
  publisher: DurablePublisher;
  kafka: TestPublisher;
} {
  const kafka = new TestPublisher();
  // A busy machine takes its time to open the store.
  const patient = { writeTimeoutMs: 4_000, log: false as const };
  const publisher = createDurablePublisher({
    directory: temporaryFolder(),
    publisher: kafka,
    ...patient,
    ...options,
  });
  onTestFinished(() => void publisher.close());
  return { publisher, kafka };
}

/** Changes the last byte of the first event of the only spool that is there, in a store like those that spools make. */
export async function changeOneByte(directory: string): Promise<void> {
  const [name = ""] = readdirSync(directory);
  const level = new ClassicLevel<string, Buffer>(join(directory, name), {
    valueEncoding: "buffer",
    compression: false,
  });
  const [entry] = await level.iterator({ gt: "finished/", lt: "finished/\uFFFF", limit: 1 }).all();
  const [key = "", value = Buffer.alloc(0)] = entry ?? [];
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
  await level.put(key, value);
  await level.close();
}

/** What stands for Kafka: does with each event what it is told, at once. */
export class TestPublisher implements Publisher {
  readonly events: SessionActivityEvent[] = [];
  offered = 0;
  outcome: (record: EventRecord) => "delivered" | DropReason | "waiting" = () => "delivered";

  publish(record: EventRecord, settled?: Settled): void {
    this.offered += 1;
    const outcome = this.outcome(record);
    if (outcome === "waiting") return;
    if (outcome === "delivered") this.events.push(record.decode());
    queueMicrotask(() => settled?.(outcome, record));
  }

  stats(): PublisherStats {
    return { offered: this.offered, delivered: this.events.length, dropped: {}, queued: 0 };
  }

  close(): Promise<PublisherStats> {
    return Promise.resolve(this.stats());
  }
}
