// Makes gRPC calls with nothing but node:http2. It keeps its deadlines itself, and sends the whole of each with the request.
//
// `how` is the way in which it leaves, at a deadline and at a cancellation alike: `close-0` and `close-8` reset the stream with
// that code, `destroy` does so with Node's own, and `cut` ends the connection.

import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectTo } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { Case } from "../case.js";
import { runCases } from "./run-cases.js";

const shared = new Map<string, ClientHttp2Session>();

await runCases(async (one) => {
  const ownsConnection = one.cold || one.how === "cut";
  const { deadlineMs = 0, cancelAfterMs = 0 } = one;
  let stream: ClientHttp2Stream | undefined;
  let session: ClientHttp2Session | undefined;
  const answer = new Promise<number>((resolve, reject) => {
    session = ownsConnection ? connect(one) : sharedSession(one);
    session.on("error", () => {});
    stream = session.request({
      ":method": "POST",
      ":path": one.path,
      "content-type": "application/grpc+proto",
      te: "trailers",
      ...(deadlineMs > 0 && { "grpc-timeout": timeoutHeader(deadlineMs) }),
      ...one.headers,
    });
    let status: number | undefined;
    const read = (headers: object): void => {
      const given = (headers as Record<string, unknown>)["grpc-status"];
      if (given !== undefined) status = Number(given);
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("error", reject);
    stream.on("close", () => (status === undefined ? reject(new Error("no grpc-status")) : resolve(status)));
    stream.resume();
    stream.end(Buffer.alloc(5));
  });
  const timers: NodeJS.Timeout[] = [];
  const leaving = new Promise<number>((resolve) => {
    if (deadlineMs > 0) timers.push(setTimeout(() => resolve(Code.DeadlineExceeded), deadlineMs));
    if (cancelAfterMs > 0) timers.push(setTimeout(() => resolve(Code.Canceled), cancelAfterMs));
  });
  let left = false;
  try {
    return {
      code: await Promise.race([
        answer,
        leaving.then((code) => {
          left = true;
          return code;
        }),
      ]),
    };
  } catch (error) {
    return { code: -1, message: String(error) };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    answer.catch(() => {});
    if (left && stream !== undefined) leave(one, stream, session);
    if (ownsConnection && session !== undefined) await end(session, stream);
  }
});
for (const session of shared.values()) session.destroy();

function connect(one: Case): ClientHttp2Session {
  return connectTo(`${one.tls ? "https" : "http"}://${one.target}`, { rejectUnauthorized: false });
}

function sharedSession(one: Case): ClientHttp2Session {
  const open = shared.get(one.target);
  if (open !== undefined && !open.closed && !open.destroyed) return open;
  const fresh = connect(one);
  fresh.setMaxListeners(0);
  shared.set(one.target, fresh);
  return fresh;
}

function leave({ how }: Case, stream: ClientHttp2Stream, session: ClientHttp2Session | undefined): void {
  if (how === "close-0") stream.close(0);
  else if (how === "destroy") stream.destroy();
  else if (how === "cut") session?.destroy();
  else stream.close(8);
}

/** Lets the reset go out before the connection ends. */
async function end(session: ClientHttp2Session, stream: ClientHttp2Stream | undefined): Promise<void> {
  if (stream !== undefined && !stream.closed && !session.destroyed) await once(stream, "close").catch(() => {});
  session.close();
}

/** In milliseconds, or in microseconds for what is no whole number of them. */
function timeoutHeader(ms: number): string {
  return Number.isInteger(ms) ? `${ms}m` : `${Math.round(ms * 1_000)}u`;
}
