import type { TroubleLog } from "../../base/log.js";
import { bridgeClientLog } from "../client/client-log.js";
import { connectWithoutBroker, disconnectConsumer } from "../client/connect.js";
import { loadKafkaClient, type NativeConsumer, type NativeProperties } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";

import { createTokenKeeper } from "../client/token-keeper.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { consumerProperties, consumerTopicProperties } from "./consumer-properties.js";

/** What a client needs that only looks on. */
export type BystanderSettings = Pick<ConsumerSettings, "brokers" | "groupId" | "oauthToken" | "properties">;

/** A client that knows a group and is not a member of it: it is given no partitions, and holds nobody up. */
export interface Bystander {
  readonly client: NativeConsumer;
  /** Always resolves. */
  close(): Promise<void>;
}

/**
 * Connects a client that only looks on. It waits for no broker. `more` are properties that the user's do not replace. Rejects if
 * the client cannot start.
 */
export async function createBystander(
  settings: BystanderSettings,
  log: TroubleLog<KafkaTrouble>,
  more: NativeProperties = {},
): Promise<Bystander> {
  // Who is not a member asks as one of the older protocol, whatever the group has.
  const { "group.protocol": _, ...properties } = settings.properties;
  const client = loadKafkaClient().createConsumer(
    { ...consumerProperties({ ...settings, properties }), "enable.auto.commit": false, ...more },
    consumerTopicProperties,
  );
  const tokens = createTokenKeeper(client, settings.oauthToken, log);
  bridgeClientLog(client, log, tokens);
  const failure = await connectWithoutBroker(client);
  if (failure !== undefined) throw new Error(failure.message);
  tokens.start();
  return {
    client,
    async close() {
      tokens.stop();
      await disconnectConsumer(client);
    },
  };
}
