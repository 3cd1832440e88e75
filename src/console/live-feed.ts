import { createHash, randomUUID } from "node:crypto";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { NativeMessage } from "../kafka/client/kafka-client.js";
import { readMessage } from "../kafka/consumer/consumed-record.js";
import type { MaskedView } from "./masked-view.js";
import type { Completeness, LiveEvent, LiveMessage, LiveSummary } from "./messages.js";
import { Minutes } from "./minutes.js";
import { RecentKeys } from "./recent-keys.js";
import type { RunTable } from "./run-table.js";

/** Where somebody was when he went away. */
export interface FeedPlace {
  readonly feed: string;
  readonly last: number;
}

/** What a feed is told about, beside events. */
interface FeedSources {
  readonly runs: RunTable;
  readonly view: MaskedView;
  /** Whether the brokers answer. */
  connections(): Pick<Completeness, "eventsConnected" | "runsConnected">;
}

interface KeptEvent {
  readonly number: number;
  readonly shown: LiveEvent;
  /** The event's bytes, for somebody who reveals it. Undefined if it is too large to be kept. */
  readonly bytes: Uint8Array | undefined;
}

/** How often viewers are told. A call is seen well within a second of its end. */
const tellMs = 100;
/** Viewers learn every second that the console is there, and what it knows of the runs. */
const summaryEvery = 10;
/** So many events are kept for viewers who come back, and at most so many go into one message. */
const keptEvents = 2_000;
const eventsAtOnce = 500;
const maxKeptBytes = 16_384;
/** Delivery is at least once: an event that comes again soon is shown once. */
const rememberedIds = 20_000;

/** What has come since the console was started, for those who look. */
export class LiveFeed {
  readonly view: MaskedView;
  readonly #sources: FeedSources;
  readonly #id: string = randomUUID();
  readonly #minutes: Minutes = new Minutes();
  readonly #ids: RecentKeys = new RecentKeys(rememberedIds);
  readonly #signatures: RecentKeys = new RecentKeys(rememberedIds);
  readonly #viewers: Set<(message: LiveMessage) => void> = new Set();
  readonly #timer: NodeJS.Timeout;
  #kept: KeptEvent[] = [];
  #last = 0;
  #told = 0;
  #turn = 0;
  #invalid = 0;

  constructor(sources: FeedSources) {
    this.view = sources.view;
    this.#sources = sources;
    this.#timer = setInterval(() => this.#tell(), tellMs);
    this.#timer.unref();
  }

  /** Takes records of the events' topic. Never throws. */
  takeEvents(messages: readonly NativeMessage[]): void {
    for (const message of messages) {
      const item = readMessage(message);
      if ("reason" in item) this.#invalid += 1;
      else this.#takeEvent(item.event, item.record.value);
    }
  }

  /** Takes records of the runs' topic. Never throws. */
  takeRuns(messages: readonly NativeMessage[]): void {
    const now = Date.now();
    for (const { value, timestamp = now } of messages) {
      if (value !== null) this.#minutes.addDropped(this.#sources.runs.takeRecord(value, timestamp, now), now);
    }
  }

  /** The event with this id, if it came lately. */
  find(id: string): { readonly shown: LiveEvent; readonly bytes: Uint8Array | undefined } | undefined {
    return this.#kept.find(({ shown }) => shown.id === id);
  }

  /** What is known of the runs, and of the feed itself. */
  completeness(): Completeness {
    return { ...this.#sources.runs.counts(Date.now()), invalid: this.#invalid, ...this.#sources.connections() };
  }

  /** Tells a viewer what comes, and first what came since he was here. Answers with what ends it. */
  watch(viewer: (message: LiveMessage) => void, place: FeedPlace | undefined): () => void {
    // The others first, so that all are at the same place.
    this.#tell();
    const isNew = place !== undefined && place.feed !== this.#id;
    const isBack = place !== undefined && !isNew;
    const after = isBack ? Math.min(place.last, this.#last) : Math.max(0, this.#last - eventsAtOnce);
    viewer({ ...this.#messageAfter(after, true), isNew });
    this.#viewers.add(viewer);
    return () => void this.#viewers.delete(viewer);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#viewers.clear();
  }

  #takeEvent(event: SessionActivityEvent, bytes: Uint8Array | undefined): void {
    const now = Date.now();
    const { instanceId, service, sequence } = event;
    this.#sources.runs.takeEvent(instanceId, service, sequence, now);
    if (this.#ids.note(keyOf(event.eventId))) return;
    const isReplayed = event.markSignature !== "" && this.#signatures.note(keyOf(event.markSignature));
    const shown = { ...this.#sources.view.event(event, isReplayed, "masked"), arrivedAt: now };
    const isUnverified = !event.contextVerified && (event.encodedSessionContext !== "" || event.contextProblem !== "");
    this.#minutes.add(shown.completedAt ?? shown.startedAt, event.status, isUnverified, now);
    this.#last += 1;
    const isSmall = bytes !== undefined && bytes.length <= maxKeptBytes;
    this.#kept.push({ number: this.#last, shown, bytes: isSmall ? bytes : undefined });
    // Not one by one: that would move all others each time.
    if (this.#kept.length >= 2 * keptEvents) this.#kept = this.#kept.slice(-keptEvents);
  }

  #tell(): void {
    this.#turn += 1;
    const isSummary = this.#turn % summaryEvery === 0;
    if (this.#viewers.size === 0 || (this.#told === this.#last && !isSummary)) {
      this.#told = this.#last;
      return;
    }
    const message = this.#messageAfter(this.#told, isSummary);
    this.#told = this.#last;
    for (const viewer of this.#viewers) viewer(message);
  }

  #messageAfter(after: number, isSummary: boolean): LiveMessage {
    const first = Math.max(after, this.#last - Math.min(eventsAtOnce, this.#kept.length));
    const events = this.#kept.slice(this.#kept.length - (this.#last - first)).map(({ shown }) => shown);
    return {
      feed: this.#id,
      last: this.#last,
      events,
      skipped: first - after,
      isNew: false,
      summary: isSummary ? this.#summary() : undefined,
    };
  }

  #summary(): LiveSummary {
    return { minutes: this.#minutes.list(Date.now()), completeness: this.completeness() };
  }
}

/** Ids and signatures may be of any length. */
function keyOf(text: string): string {
  return text.length <= 64 ? text : createHash("sha256").update(text).digest("base64url");
}
