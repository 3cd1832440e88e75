import { setTimeout as delay } from "node:timers/promises";
import { errorMessage } from "../../base/errors.js";
import type { TroubleLog } from "../../base/log.js";
import type { NativeConsumer, NativeMessage, NativePlace } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type Bystander, type BystanderSettings, createBystander } from "./bystander.js";
import { answerOf, partitionsOf, watermarksOf } from "./client-answers.js";

/** What is followed, and from where on. */
export interface TopicTailSettings extends BystanderSettings {
  readonly topic: string;
  /** At which end of the topic it begins. */
  readonly from: "oldest" | "newest";
}

/** Reads what is in a topic, without a group: nothing is committed, and nobody is given less because of it. */
export interface TopicTail {
  /** Whether a broker has answered lately. */
  isConnected(): boolean;
  /** Resolves when it has its place in all partitions: what is written after that is read. It waits for a broker. */
  readonly begun: Promise<void>;
  /** Always resolves. */
  close(): Promise<void>;
}

const batchSize = 500;
/** How often it is looked for records while none come. */
const idleMs = 20;
/** How often it is looked for further partitions, and whether a broker answers. */
const lookMs = 10_000;
const retryMs = 1_000;

/**
 * Follows a topic until it is closed. It waits for no broker, and goes on when one comes back. `take` is given records in the
 * order of their partitions, and must not throw.
 */
export function followTopic(
  settings: TopicTailSettings,
  take: (messages: readonly NativeMessage[]) => void,
  log: TroubleLog<KafkaTrouble>,
): TopicTail {
  return new Tail(settings, take, log);
}

class Tail implements TopicTail {
  readonly begun: Promise<void>;
  readonly #settings: TopicTailSettings;
  readonly #take: (messages: readonly NativeMessage[]) => void;
  readonly #log: TroubleLog<KafkaTrouble>;
  readonly #partitions: Set<number> = new Set();
  readonly #closing: AbortController = new AbortController();
  readonly #done: Promise<unknown>;
  #connected = false;
  #begin: () => void = () => {};

  constructor(
    settings: TopicTailSettings,
    take: (messages: readonly NativeMessage[]) => void,
    log: TroubleLog<KafkaTrouble>,
  ) {
    this.#settings = settings;
    this.#take = take;
    this.#log = log;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#done = this.#run();
  }

  isConnected(): boolean {
    return this.#connected;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    // If retention or a broker without its past has overtaken it, it goes on at the oldest record there is.
    const properties = { ...this.#settings.properties, "auto.offset.reset": "earliest" };
    const bystander = await this.#start({ ...this.#settings, properties });
    if (bystander === undefined) return;
    bystander.client.setDefaultConsumeTimeout(0);
    await Promise.all([this.#look(bystander.client), this.#read(bystander.client)]);
    await bystander.close();
  }

  async #start(settings: TopicTailSettings): Promise<Bystander | undefined> {
    try {
      return await createBystander(settings, this.#log);
    } catch (error) {
      this.#log.error("consumer_failed", { error: errorMessage(error) }, "The topic cannot be followed");
      return undefined;
    }
  }

  /** Looks for partitions again and again. */
  async #look(client: NativeConsumer): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const found = await this.#assign(client).catch(() => false);
      this.#connected = found;
      if (found) this.#begin();
      await this.#pause(found ? lookMs : retryMs);
    }
  }

  /** Adds the partitions that are new. Answers whether there are any at all. */
  async #assign(client: NativeConsumer): Promise<boolean> {
    const { topic, from } = this.#settings;
    const all = await partitionsOf(client, topic);
    const added = all.filter((partition) => !this.#partitions.has(partition));
    if (added.length > 0) {
      const marks = await watermarksOf(client, topic, added);
      // In partitions that came into being meanwhile, everything is new.
      const atEnd = from === "newest" && this.#partitions.size === 0;
      const places: NativePlace[] = [...marks].map(([partition, { lowOffset, highOffset }]) => ({
        topic,
        partition,
        offset: atEnd ? highOffset : lowOffset,
      }));
      if (this.#partitions.size === 0) client.assign(places);
      else client.incrementalAssign(places);
      for (const partition of added) this.#partitions.add(partition);
    }
    return all.length > 0;
  }

  async #read(client: NativeConsumer): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const messages = await answerOf<readonly NativeMessage[]>((done) => client.consume(batchSize, done)).catch(
        () => [],
      );
      if (messages.length > 0) this.#take(messages);
      // A full batch means that there is more. Others have their turn in between all the same.
      await this.#pause(messages.length === batchSize ? 0 : idleMs);
    }
  }

  #pause(ms: number): Promise<unknown> {
    return delay(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}
