import type { TroubleLog } from "../../base/log.js";
import { within } from "../../base/within.js";
import { bridgeClientLog } from "../client/client-log.js";
import { connectWithoutBroker } from "../client/connect.js";
import type { KafkaClient, NativeError, NativeHeader, NativeProducer } from "../client/kafka-client.js";
import { createTokenKeeper, type TokenKeeper } from "../client/token-keeper.js";
import type { SessionActivityRecord } from "./consumed-record.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { deadLetterProperties } from "./consumer-properties.js";
import type { InvalidReason } from "./consumer-stats.js";

/** How long the producer may take to stop. */
const stopTimeoutMs = 1_000;

/** The topic for records that cannot be handled. */
export interface DeadLetters {
  /** Resolves when the brokers have the record, and rejects where they do not take it. The first one starts the producer. */
  add(record: SessionActivityRecord, reason: InvalidReason): Promise<void>;
  /** Stops. Records that are under way may have arrived or not. Always resolves. */
  close(): Promise<void>;
}

interface Started {
  readonly producer: NativeProducer;
  readonly tokens: TokenKeeper;
}

/** Creates the dead letters. No producer exists, and nothing connects, before there is one to write. */
export function createDeadLetters(
  client: KafkaClient,
  settings: ConsumerSettings,
  topic: string,
  log: TroubleLog,
): DeadLetters {
  const underWay = new Map<number, (error: NativeError | null) => void>();
  let last = 0;
  let started: Promise<Started> | undefined;

  async function start(): Promise<Started> {
    const producer = client.createProducer(deadLetterProperties(settings));
    const tokens = createTokenKeeper(producer, settings.oauthToken, log);
    bridgeClientLog(producer, log, tokens);
    producer.on("delivery-report", (error, report) => {
      const number = Number(report.opaque);
      underWay.get(number)?.(error);
      underWay.delete(number);
    });
    const failure = await connectWithoutBroker(producer);
    if (failure !== undefined) throw new Error(failure.message);
    producer.setPollInBackground(true);
    tokens.start();
    return { producer, tokens };
  }

  return {
    async add(record, reason) {
      started ??= start();
      const { producer } = await started.catch((error: unknown) => {
        // The next attempt begins anew.
        started = undefined;
        throw error;
      });
      const { key = null, value = null } = record;
      await new Promise<void>((resolve, reject) => {
        last += 1;
        // An empty key stays one: the client takes empty bytes for none.
        const sameKey = key?.length === 0 ? "" : bufferOf(key);
        producer.produce(topic, null, bufferOf(value), sameKey, null, last, headersOf(record, reason));
        underWay.set(last, (error) => (error ? reject(new Error(error.message)) : resolve()));
      });
    },
    async close() {
      await within(stopTimeoutMs, stop(started)).catch(() => {
        // It never started: there is nothing to stop.
      });
    },
  };
}

async function stop(started: Promise<Started> | undefined): Promise<void> {
  if (started === undefined) return;
  const { producer, tokens } = await started;
  tokens.stop();
  await new Promise<void>((resolve) => {
    producer.disconnect(0, () => resolve());
  });
}

/** The client takes Buffers only, and for a header of another kind it throws *and* sends. */
function bufferOf<T extends null>(bytes: Uint8Array | T): Buffer | T {
  return bytes === null ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function headersOf(record: SessionActivityRecord, reason: InvalidReason): NativeHeader[] {
  return [
    ...record.headers.map(({ key, value }) => ({ [key]: Buffer.from(value) })),
    { "dead-letter-reason": reason },
    { "dead-letter-origin-topic": record.topic },
    { "dead-letter-origin-partition": `${record.partition}` },
    { "dead-letter-origin-offset": `${record.offset}` },
  ];
}
