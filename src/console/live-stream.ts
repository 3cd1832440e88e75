import type { ServerResponse } from "node:http";
import type { TroubleLog } from "../base/log.js";
import type { ConsoleTrouble } from "./console-troubles.js";
import type { FeedPlace, LiveFeed } from "./live-feed.js";
import type { LiveMessage } from "./messages.js";
import { securityHeaders } from "./security-headers.js";

/** What may wait for a viewer who reads too slowly. After that his stream ends, and he comes back to where he was. */
const maxWaitingBytes = 4 * 1024 * 1024;

/** Sends what comes as server-sent events, until the viewer leaves. */
export function streamLive(
  response: ServerResponse,
  feed: LiveFeed,
  place: FeedPlace | undefined,
  log: TroubleLog<ConsoleTrouble>,
): void {
  response.writeHead(200, {
    ...securityHeaders,
    "content-type": "text/event-stream; charset=utf-8",
    "x-accel-buffering": "no",
  });
  let stop: (() => void) | undefined;
  const send = (message: LiveMessage): void => {
    if (response.writableLength > maxWaitingBytes) {
      log.warn("viewer_too_slow", {}, "A viewer reads too slowly: the stream ends, and the page comes back");
      response.destroy();
    } else {
      // JSON has no line breaks.
      response.write(`id: ${message.feed}:${message.last}\ndata: ${JSON.stringify(message)}\n\n`);
    }
  };
  response.on("close", () => stop?.());
  stop = feed.watch(send, place);
}

/** Reads where a viewer was: what the last message had as its id. */
export function readPlace(id: string | undefined): FeedPlace | undefined {
  const [, feed, last] = /^([\w-]{36}):(\d{1,15})$/.exec(id ?? "") ?? [];
  return feed === undefined ? undefined : { feed, last: Number(last) };
}
