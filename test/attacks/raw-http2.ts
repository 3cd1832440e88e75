import { connect, type Socket } from "node:net";
import type { RawAnswer, RawConnection, RawHeader } from "./raw-http1.js";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const types = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, continuation: 9 } as const;
const flags = { endStream: 1, ack: 1, endHeaders: 4 } as const;
const maxFrame = 16_384;

/**
 * Opens a connection that speaks HTTP/2 as no client would: RFC 9113, with headers as HPACK's literals (RFC 7541, 6.2.2).
 *
 * The answer's status is not decoded: it is 200 where a body came, as that of a call that succeeded, and 400 otherwise.
 */
export function openRawHttp2(port: number): RawConnection {
  let session: Session | undefined;
  return {
    call(path, headers) {
      session = session?.isOpen ? session : openSession(port);
      return session.call(path, headers);
    },
    close: () => session?.close(),
  };
}

interface Session {
  readonly isOpen: boolean;
  call(path: string, headers: readonly RawHeader[]): Promise<RawAnswer | undefined>;
  close(): void;
}

function openSession(port: number): Session {
  const socket = connect(port, "127.0.0.1");
  let nextId = 1;
  let isOpen = true;
  let current: { id: number; body: string; end: (answer: RawAnswer | undefined) => void } | undefined;
  let pending = Buffer.alloc(0);

  // A window that never fills up: the answers of a whole run are smaller.
  const settings = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
  const window = Buffer.from([0x7f, 0xfe, 0xff, 0xff]);
  socket.write(Buffer.concat([Buffer.from(preface), frame(types.settings, 0, 0, settings), frame(8, 0, 0, window)]));
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("close", over);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 9) {
      const length = pending.readUIntBE(0, 3);
      if (pending.length < 9 + length) return;
      receive(pending[3] ?? 0, pending[4] ?? 0, pending.readUInt32BE(5), pending.subarray(9, 9 + length));
      pending = pending.subarray(9 + length);
    }
  });

  function receive(type: number, flag: number, id: number, payload: Buffer): void {
    const isAck = (flag & flags.ack) !== 0;
    if (type === types.goAway) over();
    else if ((type === types.settings || type === types.ping) && !isAck) acknowledge(type, payload);
    else if (id === current?.id) receiveAnswer(type, (flag & flags.endStream) !== 0, payload);
  }

  function acknowledge(type: number, payload: Buffer): void {
    socket.write(frame(type, flags.ack, 0, type === types.ping ? payload : Buffer.alloc(0)));
  }

  function receiveAnswer(type: number, isEnd: boolean, payload: Buffer): void {
    if (current === undefined) return;
    if (type === types.data) current.body += payload.toString("latin1");
    if (type === types.reset) finish(undefined);
    else if (isEnd) finish({ status: current.body === "{}" ? 200 : 400, body: current.body });
  }

  function finish(answer: RawAnswer | undefined): void {
    const ended = current;
    current = undefined;
    ended?.end(answer);
  }

  function over(): void {
    isOpen = false;
    socket.destroy();
    finish(undefined);
  }

  return {
    get isOpen() {
      return isOpen;
    },
    call(path, headers) {
      const id = nextId;
      nextId += 2;
      return new Promise((resolve) => {
        current = { id, body: "", end: resolve };
        send(socket, id, path, headers);
      });
    },
    close: over,
  };
}

function send(socket: Socket, id: number, path: string, headers: readonly RawHeader[]): void {
  const all: RawHeader[] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "attacker"],
    ["content-type", "application/json"],
    ...headers,
  ];
  const block = Buffer.concat(all.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
  for (let at = 0; at < block.length; at += maxFrame) {
    const isLast = at + maxFrame >= block.length;
    const type = at === 0 ? types.headers : types.continuation;
    socket.write(frame(type, isLast ? flags.endHeaders : 0, id, block.subarray(at, at + maxFrame)));
  }
  socket.write(frame(types.data, flags.endStream, id, Buffer.from("{}")));
}

function frame(type: number, flag: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

/** A string as HPACK writes it without Huffman coding: RFC 7541, 5.1 and 5.2. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length: number[] = [];
  if (bytes.length < 127) {
    length.push(bytes.length);
  } else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
