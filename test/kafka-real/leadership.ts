import { connect } from "node:net";
import { until } from "../support/until.js";
import type { Cluster } from "./cluster.js";

/** What one node says of one partition. */
interface PartitionState {
  readonly leader: number;
  readonly inSync: number;
}

/**
 * Resolves when Kafka itself could take a record that asks for all acknowledgements: when some partition of the topic has a
 * leader that answers, knows that it leads, and sees enough replicas in sync. Asked with a connection of its own each time,
 * since every client that reconnects has a back-off, and that is what is to be measured against this.
 */
export async function untilLed({ nodes }: Cluster, topic: string, enoughInSync = 2): Promise<void> {
  let answers: (PartitionState[] | undefined)[] = [];
  const isLed = async (): Promise<boolean> => {
    answers = await Promise.all(nodes.map(({ port }) => askFor(port, topic)));
    return nodes.some(({ id }, index) =>
      answers[index]?.some(({ leader, inSync }) => leader === id && inSync >= enoughInSync),
    );
  };
  await until(isLed, () => answers, 60_000);
}

/** Resolves when no node knows the topic any more, so that none can acknowledge a record for it. */
export async function untilForgotten({ nodes }: Cluster, topic: string): Promise<void> {
  let answers: (PartitionState[] | undefined)[] = [];
  const isForgotten = async (): Promise<boolean> => {
    answers = await Promise.all(nodes.map(({ port }) => askFor(port, topic)));
    return answers.every((partitions) => partitions?.length === 0);
  };
  await until(isForgotten, () => answers, 60_000);
}

/** The partitions as that node sees them; undefined where it does not answer. */
function askFor(port: number, topic: string): Promise<PartitionState[] | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => void socket.write(metadataRequest(topic)));
    let received = Buffer.alloc(0);
    socket.setTimeout(500, () => socket.destroy());
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(partitionsIn(received));
      socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(undefined));
  });
}

/** Metadata, version 4: a length, the header, the topics, and whether they may be created. */
function metadataRequest(topic: string): Buffer {
  const name = Buffer.from(topic);
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + 4 + 2 + name.length + 1);
  let at = request.writeInt32BE(request.length - 4);
  at = request.writeInt16BE(3, at);
  at = request.writeInt16BE(4, at);
  at = request.writeInt32BE(1, at);
  at = request.writeInt16BE(-1, at);
  at = request.writeInt32BE(1, at);
  at = request.writeInt16BE(name.length, at);
  name.copy(request, at);
  return request;
}

function partitionsIn(response: Buffer): PartitionState[] {
  // The length, the correlation id, and the throttle time.
  let at = 12;
  const int16 = (): number => {
    at += 2;
    return response.readInt16BE(at - 2);
  };
  const int32 = (): number => {
    at += 4;
    return response.readInt32BE(at - 4);
  };
  const skipText = (): void => {
    const length = int16();
    at += Math.max(0, length);
  };
  const list = <T>(read: () => T): T[] => Array.from({ length: int32() }, read);

  list(() => {
    int32();
    skipText();
    int32();
    skipText();
  });
  skipText();
  int32();
  return list(() => {
    int16();
    skipText();
    at += 1;
    return list((): PartitionState => {
      int16();
      int32();
      const leader = int32();
      list(int32);
      return { leader, inSync: list(int32).length };
    });
  }).flat();
}
