import { asNativeError, type NativeClient, type NativeConsumer, type NativeError } from "./kafka-client.js";
import { holdingThread } from "./pool-threads.js";

/**
 * Connects without waiting for a broker. The client's `connect` asks a broker for metadata before it calls back; with none up
 * it fails after 30 s *and destroys the client*. Answering that question on the client's behalf makes it call back in some
 * milliseconds. This leans on the client's internals, and a test guards it.
 *
 * Resolves with what librdkafka finds wrong only now, such as properties that contradict each other. Never rejects.
 */
export function connectWithoutBroker(client: NativeClient): Promise<NativeError | undefined> {
  return new Promise((resolve) => {
    client.getMetadata = (_options, done) => done(null, { brokers: [] });
    try {
      client.connect({}, (error) => {
        // The prototype's own method shows again.
        Reflect.deleteProperty(client, "getMetadata");
        resolve(error ?? undefined);
      });
    } catch (error) {
      resolve(asNativeError(error));
    }
  });
}

/** Leaves the group, if there is one, and stops. If no broker answers, that may hold a thread for 2 s. */
export function disconnectConsumer(consumer: NativeConsumer): Promise<void> {
  return holdingThread(
    () =>
      new Promise((resolve) => {
        consumer.disconnect(() => resolve());
      }),
  );
}
