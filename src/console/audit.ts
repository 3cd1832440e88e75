import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { cutToBytes } from "../base/text.js";
import { createKafkaPublisher } from "../kafka/publisher/kafka-publisher.js";
import { createEventRecord } from "../publishing/event-record.js";
import type { Publisher } from "../publishing/publisher.js";
import { uuidv7 } from "../service/event-id.js";
import type { ConsoleSettings } from "./console-options.js";

/** What somebody did with the console. */
export type AuditAction = "console.start" | "console.look" | "console.reveal" | "console.export";

/** Writes who looked at what. */
export interface Audit {
  readonly isOn: boolean;
  /** Resolves if it is written. Rejects if it cannot be: then nothing may be shown. */
  write(action: AuditAction, user: string, target: string): Promise<void>;
  close(): Promise<void>;
}

/** The service that the events name. */
const service = "session-activity-console";
/** How long a look waits for Kafka. */
const patienceMs = 10_000;
/** What an attribute of an event holds at most. */
const maxAttributeBytes = 256;

type AuditSettings = Pick<ConsoleSettings, "brokers" | "topic" | "oauthToken" | "properties" | "log">;

/** Creates an audit that writes events to the trail that is shown. */
export function createAudit({ brokers, topic, oauthToken, properties, log }: AuditSettings): Audit {
  const publisher = createKafkaPublisher({
    brokers,
    topic,
    oauthToken,
    clientId: service,
    deliveryTimeoutMs: patienceMs,
    closeTimeoutMs: 1_000,
    // Somebody waits for each of them.
    properties: { "linger.ms": 0, ...properties },
    log,
  });
  const instanceId = randomUUID();
  let sequence = 0n;
  return {
    isOn: true,
    write(action, user, target) {
      sequence += 1n;
      return deliver(publisher, eventBytes({ action, user, target, instanceId, sequence }));
    },
    async close() {
      await publisher.close();
    },
  };
}

/** Writes nothing. */
export const noAudit: Audit = { isOn: false, write: () => Promise.resolve(), close: () => Promise.resolve() };

interface AuditEntry {
  readonly action: AuditAction;
  readonly user: string;
  readonly target: string;
  readonly instanceId: string;
  readonly sequence: bigint;
}

/** It carries no session context: a look at a session is not an activity of that session. */
function eventBytes({ action, user, target, instanceId, sequence }: AuditEntry): Parameters<Publisher["publish"]>[0] {
  const now = Date.now();
  return createEventRecord(
    create(SessionActivityEventSchema, {
      eventId: uuidv7(now),
      service,
      action,
      procedure: `/session-activity/${action}`,
      status: "OK",
      startedAt: timestampFromMs(now),
      completedAt: timestampFromMs(now),
      duration: { seconds: 0n, nanos: 0 },
      instanceId,
      sequence,
      attributes: { user: cutToBytes(user, maxAttributeBytes), target: cutToBytes(target, maxAttributeBytes) },
    }),
  );
}

function deliver(publisher: Publisher, record: Parameters<Publisher["publish"]>[0]): Promise<void> {
  return new Promise((resolve, reject) => {
    publisher.publish(record, (outcome) => {
      if (outcome === "delivered") resolve();
      else reject(new Error(`Kafka did not take the event: ${outcome}`));
    });
  });
}
