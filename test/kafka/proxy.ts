import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { freePorts } from "../support/free-ports.js";

/** The requests of Kafka's protocol that tests interfere with. */
export const api = { produce: 0, metadata: 3, initProducerId: 22 } as const;

/**
 * Changes a broker's answer in place, has the connection break before it arrives, or holds it back until a promise resolves.
 * The body begins behind the header.
 */
export type Fault = (answer: {
  readonly api: number;
  readonly version: number;
  readonly body: Buffer;
}) => "break" | Promise<void> | undefined | void;

/**
 * A door in front of a broker, with an address that stays the same: it can be shut, opened, and led to another broker, and it
 * can put errors into a broker's answers that the embedded one never gives by itself.
 *
 * Clients learn the brokers' addresses from the brokers themselves, so the door writes its own port into their answers.
 */
export interface Proxy {
  readonly address: string;
  /** Breaks all connections and refuses new ones. */
  shut(): Promise<void>;
  /** Takes connections, and leads them to this broker. */
  open(broker: string): Promise<void>;
  /** Applied to every answer from here on; undefined for none. */
  fault: Fault | undefined;
}

const doors = new Set<Proxy>();

/** Reserves an address; the door is shut. */
export async function startProxy(): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let target = 0;
  let server: Server | undefined;
  const [port = 0] = await freePorts(1);
  const listen = async (): Promise<void> => {
    server = createServer((client) => {
      const broker = connect(target, "127.0.0.1");
      sockets.add(client).add(broker);
      pipe(client, broker);
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const shut = async (): Promise<void> => {
    const closed = server && once(server, "close");
    server?.close();
    server = undefined;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await closed;
  };

  function pipe(client: Socket, broker: Socket): void {
    const requests = new Map<number, { api: number; version: number }>();
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => other.destroy());
    }
    client.on(
      "data",
      frames((frame) => {
        requests.set(frame.readInt32BE(8), { api: frame.readInt16BE(4), version: frame.readInt16BE(6) });
        broker.write(frame);
      }),
    );
    broker.on(
      "data",
      frames((frame) => {
        const correlation = frame.readInt32BE(4);
        const request = requests.get(correlation)!;
        requests.delete(correlation);
        replacePort(frame, target, port);
        const body = frame.subarray(isFlexible(request) ? 9 : 8);
        const verdict = proxy.fault?.({ ...request, body });
        if (verdict === "break") client.destroy();
        else if (verdict instanceof Promise) void verdict.then(() => client.write(frame));
        else client.write(frame);
      }),
    );
  }

  const proxy: Proxy = {
    address: `127.0.0.1:${port}`,
    fault: undefined,
    shut,
    async open(broker) {
      target = Number(broker.split(":")[1]);
      if (server === undefined) await listen();
    },
  };
  doors.add(proxy);
  return proxy;
}

/** Shuts all doors. Call it after each test. */
export async function shutProxies(): Promise<void> {
  await Promise.all([...doors].map((door) => door.shut()));
  doors.clear();
}

/** Makes the broker answer produce requests for a topic with an error. */
export function failProduce(topic: string, code: number, times: number = Infinity): Fault {
  let left = times;
  return (answer) => {
    if (answer.api !== api.produce || left <= 0) return;
    left -= 1;
    // Behind the name: the number of partitions, the first one's index, its error. The client asks for one at a time.
    const end = answer.body.indexOf(topic) + topic.length;
    answer.body.writeInt16BE(code, end + (isFlexible(answer) ? 1 : 4) + 4);
  };
}

/** Breaks the connection when a produce request was carried out and its acknowledgement is on the way. */
export function loseAcknowledgements(times: number): Fault {
  let left = times;
  return (answer) => {
    if (answer.api !== api.produce || left <= 0) return undefined;
    left -= 1;
    return "break";
  };
}

/** Makes the broker refuse producers that ask for an id, as one does where the right to idempotence is missing. */
export function failInitProducerId(code: number): Fault {
  return ({ api: key, body }) => {
    if (key === api.initProducerId) body.writeInt16BE(code, 4);
  };
}

/** Since those versions headers end with tagged fields, of which there are none. */
function isFlexible({ api: key, version }: { readonly api: number; readonly version: number }): boolean {
  return version >= ({ [api.produce]: 9, [api.metadata]: 9, [api.initProducerId]: 2 }[key] ?? Infinity);
}

function replacePort(frame: Buffer, from: number, to: number): void {
  const broker = addressBytes(from);
  const door = addressBytes(to);
  for (let at = frame.indexOf(broker); at >= 0; at = frame.indexOf(broker, at + 1)) door.copy(frame, at);
}

function addressBytes(port: number): Buffer {
  const bytes = Buffer.from("127.0.0.1....");
  bytes.writeInt32BE(port, 9);
  return bytes;
}

/** Puts the stream together to whole frames: a length of four bytes, and as many bytes. */
function frames(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const length = 4 + rest.readInt32BE(0);
      take(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
}
