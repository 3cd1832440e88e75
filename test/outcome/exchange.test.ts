import { once } from "node:events";
import { connect, constants, createServer, type ServerHttp2Stream } from "node:http2";
import { expect, it, onTestFinished } from "vitest";
import { watchExchange } from "../../src/outcome/exchange.js";
import { tracking } from "../service/tracking-fixture.js";
import { marks, startAccountServer } from "../support/account-server.js";
import { createCollector } from "../support/heap-gauge.js";
import { listen } from "../support/listen.js";
import { until } from "../support/until.js";

const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL } = constants;

/**
 * Leaves a call whose handler does not read its requests, and whose answer is stuck in the server: the caller takes no data.
 * Node emits nothing at all for such a stream if it is reset with NO_ERROR.
 */
async function leaveUnread(code: number, handlerEnds: boolean) {
  const { adapter, events } = tracking();
  let isAnswered = false;
  async function* syncDevices(_: unknown, { signal }: { signal: AbortSignal }) {
    yield {};
    isAnswered = true;
    if (!handlerEnds) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  const { baseUrl } = await startAccountServer({ syncDevices }, adapter);
  const session = connect(baseUrl, { settings: { initialWindowSize: 0 } });
  onTestFinished(() => session.destroy());
  const stream = session.request({
    ":method": "POST",
    ":path": "/example.account.v1.AccountService/SyncDevices",
    "content-type": "application/grpc+proto",
    te: "trailers",
    ...marks(),
  });
  stream.on("error", () => {});
  stream.end(Buffer.alloc(5));
  await once(stream, "response");
  await until(() => isAnswered);
  stream.close(code);
  await until(() => events.length === 1);
  return events[0];
}

it.each([
  ["NO_ERROR", NGHTTP2_NO_ERROR, true],
  ["NO_ERROR", NGHTTP2_NO_ERROR, false],
  ["CANCEL", NGHTTP2_CANCEL, true],
  ["CANCEL", NGHTTP2_CANCEL, false],
])(
  "a caller that leaves an unread call by %s ends it; code %i, handler has ended: %s",
  async (_, code, handlerEnds) => {
    expect(await leaveUnread(code, handlerEnds)).toMatchObject({ status: "CANCELLED" });
  },
);

it("lets go of a call when it is over, though Node keeps its stream", async () => {
  const collect = createCollector();
  const seen: { readonly stream: ServerHttp2Stream; readonly kept: readonly WeakRef<object>[] }[] = [];
  const server = createServer((request, response) => {
    const call = { changed: () => {} };
    watchExchange(request, () => {})?.onChange(call);
    seen.push({ stream: request.stream, kept: [new WeakRef(call), new WeakRef(request)] });
    response.end();
  });
  const { baseUrl } = await listen(server);
  const session = connect(baseUrl);
  onTestFinished(() => session.destroy());
  session.request({ ":path": "/" }).resume();
  await until(() => seen[0]?.stream.closed === true);
  await until(() => {
    collect();
    return seen[0]?.kept.every((one) => one.deref() === undefined) === true;
  });
  expect(seen).toHaveLength(1);
});
