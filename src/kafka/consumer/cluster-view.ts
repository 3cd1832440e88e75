import { createTroubleLog } from "../../base/log.js";
import {
  loadKafkaClient,
  type NativeConsumer,
  type NativeMetadata,
  type NativeTopicDescription,
} from "../client/kafka-client.js";
import { type BystanderSettings, createBystander } from "./bystander.js";
import { metadataOf } from "./client-answers.js";

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
  const { client, close } = await createBystander(settings, log, { "enable.partition.eof": true });
  return {
    client,
    troubles: () => troubles,
    metadata: (topic) => metadataOf(client, topic, signal),
    async describeTopic(topic) {
      const [description] = await loadKafkaClient().describeTopics(client, [topic], timeoutMs);
      return description;
    },
    close,
  };
}
