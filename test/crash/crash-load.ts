import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";

/** Calls under way at a time. */
const parallel = 16;

/** Callers of one process under test. */
export interface Load {
  /** Resolves when no call is under way any more. */
  stop(): Promise<void>;
}

/** Calls the service without a pause. `onSent` and `onAnswered` are told of each call, by the session context that it has. */
export function startLoad(port: number, nextId: () => string, onAnswered: (id: string) => void): Load {
  const session = connect(`http://127.0.0.1:${port}`);
  // The service is killed.
  session.on("error", () => {});
  let isStopped = false;

  async function callOn(): Promise<void> {
    while (!isStopped && !session.destroyed && !session.closed) {
      const id = nextId();
      if (await isAnswered(session, id)) onAnswered(id);
    }
  }
  const callers = Array.from({ length: parallel }, callOn);
  return {
    async stop() {
      isStopped = true;
      await Promise.all(callers);
      session.destroy();
    },
  };
}

/** Whether the caller received an answer, all of it. */
async function isAnswered(session: ClientHttp2Session, id: string): Promise<boolean> {
  const call = session.request({
    ":method": "POST",
    ":path": "/example.account.v1.AccountService/ChangePassword",
    "content-type": "application/json",
    "x-session-track": "true",
    "x-session-context": id,
  });
  let status = 0;
  let hasEnded = false;
  call.on("response", (headers) => {
    status = Number(headers[":status"]);
  });
  call.on("end", () => {
    hasEnded = true;
  });
  call.on("error", () => {});
  call.resume();
  call.end("{}");
  await once(call, "close").catch(() => {});
  return hasEnded && status === 200;
}
