import { connect, type Socket } from "node:net";

/** A header as it is written, whatever it holds: one character is one byte. */
export type RawHeader = readonly [name: string, value: string];

/** A connection on which every byte of a request is ours. */
export interface RawConnection {
  /** Makes one call, one at a time. Resolves to what came back, or to undefined where the server refused the connection. */
  call(path: string, headers: readonly RawHeader[]): Promise<RawAnswer | undefined>;
  close(): void;
}

export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

/** Opens a connection that speaks HTTP/1.1 as no client would. It connects again where the server has closed it. */
export function openRawHttp1(port: number): RawConnection {
  let socket: Socket | undefined;

  return {
    call(path, headers) {
      const lines = [`POST ${path} HTTP/1.1`, "host: attacker", "content-type: application/json", "content-length: 2"];
      for (const [name, value] of headers) lines.push(`${name}: ${value}`);
      const target = socket?.writable ? socket : connect(port, "127.0.0.1");
      socket = target;
      target.setNoDelay(true);
      const answer = readAnswer(target);
      target.write(Buffer.from(`${lines.join("\r\n")}\r\n\r\n{}`, "latin1"));
      return answer;
    },
    close: () => void socket?.destroy(),
  };
}

function readAnswer(socket: Socket): Promise<RawAnswer | undefined> {
  return new Promise((resolve) => {
    let received = "";
    function onData(chunk: Buffer): void {
      received += chunk.toString("latin1");
      const answer = parse(received);
      if (answer !== undefined) end(answer);
    }
    function onClose(): void {
      end(parse(`${received}\r\n\r\n`));
    }
    function end(answer: RawAnswer | undefined): void {
      socket.off("data", onData).off("close", onClose).off("error", onError);
      // A late error, as of a connection that the server cuts after its answer, must not end the process.
      if (answer === undefined || /^connection: close/im.test(received)) socket.on("error", onError).destroy();
      resolve(answer);
    }
    socket.on("data", onData).on("close", onClose).on("error", onError);
  });
}

function onError(): void {}

/** The answer, once it is whole. */
function parse(received: string): RawAnswer | undefined {
  const end = received.indexOf("\r\n\r\n");
  const status = /^HTTP\/1.1 (\d{3})/.exec(received)?.[1];
  if (end < 0 || status === undefined) return undefined;
  const head = received.slice(0, end);
  const body = received.slice(end + 4);
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  const isWhole =
    length === undefined
      ? !/^transfer-encoding/im.test(head) || body.endsWith("0\r\n\r\n")
      : body.length >= Number(length);
  return isWhole ? { status: Number(status), body } : undefined;
}
