// Offers events to a sink: `node producer-process.js CONFIG`, which is a SinkConfig in JSON.
import { setTimeout as delay } from "node:timers/promises";
import { answerParent } from "../kit/peer-process.js";
import { typicalEvent } from "../kit/typical-event.js";
import { connectSink } from "./event-sink.js";
import type { SinkConfig } from "./sink-config.js";

/** How many events to offer. */
export interface OfferQuestion {
  readonly count: number;
  /** How fast. @default as fast as they are taken */
  readonly perSecond?: number | undefined;
}

/** How it went, up to the delivery of the last one. */
export interface OfferAnswer {
  readonly seconds: number;
  /** The most that waited for delivery at any time. */
  readonly mostQueued: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

/** Enough for all clients to have full batches, and few enough for none to be held up by its own memory. */
const maxQueued = 20_000;
/** How many calls a service ends in one turn of its event loop. */
const perTurn = 50;

const sink = await connectSink(JSON.parse(process.argv[2] ?? "{}") as SinkConfig);
const events = Array.from({ length: 1_000 }, (_, index) => typicalEvent(index + 1));

async function offer({ count, perSecond = Number.POSITIVE_INFINITY }: OfferQuestion): Promise<OfferAnswer> {
  const start = performance.now();
  let mostQueued = 0;
  for (let offered = 0; offered < count; ) {
    const due = Math.min(count, ((performance.now() - start) * perSecond) / 1_000 + 1);
    const until = Math.min(due, offered + perTurn);
    while (offered < until) sink.offer(events[offered++ % events.length] ?? typicalEvent(0));
    const queued = sink.queued();
    mostQueued = Math.max(mostQueued, queued);
    // A timer, since turns of an idle event loop are no work that a service would do.
    if (queued >= maxQueued || offered >= due) await delay(1);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  while (sink.queued() > 0) await delay(1);
  const { rss, heapUsed } = process.memoryUsage();
  return { seconds: (performance.now() - start) / 1_000, mostQueued, residentBytes: rss, heapBytes: heapUsed };
}

answerParent(offer);
