import { createTroubleLog } from "../../base/log.js";
import { bridgeClientLog } from "../client/client-log.js";
import { connectWithoutBroker } from "../client/connect.js";
import {
  loadKafkaClient,
  type NativeConsumer,
  type NativeMetadata,
  type NativeTopicDescription,
} from "../client/kafka-client.js";
import { createTokenKeeper } from "../client/token-keeper.js";
import type { BystanderSettings } from "./bystander.js";
import { metadataOf } from "./client-answers.js";
import { consumerProperties } from "./consumer-properties.js";

/** A cluster as a client sees it, for whoever wants to know why something does not work. */
export interface ClusterView {
  readonly client: NativeConsumer;
  /** What the client said of its troubles so far. */
  troubles(): readonly ClientTrouble[];
  /** Brokers and a topic. Rejects with what the client says. */
  metadata(topic: string): Promise<NativeMetadata>;
  /** A topic, and what this client may do with it. Rejects if the brokers do not say. */
  describeTopic(topic: string): Promise<NativeTopicDescription | undefined>;
  close(): Promise<void>;
}

/** A line of the client's log that is known. */
export interface ClientTrouble {
  readonly kind: string;
  readonly message: string;
}

/** How long the brokers may take to describe a topic. */
const timeoutMs = 2_000;

/** Connects a client that keeps what it is told instead of logging it. Rejects if its properties are refused. */
export async function viewCluster(settings: BystanderSettings, signal?: AbortSignal): Promise<ClusterView> {
  const troubles: ClientTrouble[] = [];
  const note = (details: object, message = ""): void => {
    const kind: unknown = Reflect.get(details, "kind");
    const cause: unknown = Reflect.get(details, "cause");
    troubles.push({ kind: String(kind), message: typeof cause === "string" ? cause : message });
  };
  const log = createTroubleLog({ debug: () => {}, info: () => {}, warn: note, error: note });
  const kafka = loadKafkaClient();
  const { "group.protocol": _, ...properties } = settings.properties;
  const client = kafka.createConsumer({
    ...consumerProperties({ ...settings, properties }),
    "enable.auto.commit": false,
    "enable.partition.eof": true,
  });
  const tokens = createTokenKeeper(client, settings.oauthToken, log);
  bridgeClientLog(client, log, tokens);
  const failure = await connectWithoutBroker(client);
  if (failure !== undefined) throw new Error(failure.message);
  tokens.start();
  return {
    client,
    troubles: () => troubles,
    metadata: (topic) => metadataOf(client, topic, signal),
    async describeTopic(topic) {
      const [description] = await kafka.describeTopics(client, [topic], timeoutMs);
      return description;
    },
    async close() {
      tokens.stop();
      await new Promise<void>((resolve) => {
        client.disconnect(() => resolve());
      });
    },
  };
}
