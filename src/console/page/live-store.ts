import type { LiveEvent, LiveMessage, LiveSummary } from "../messages.js";

/** How the stream from the console is. */
export type Connection = "connecting" | "live" | "away" | "locked";

/** What has come, for all views. */
export interface LiveState {
  readonly connection: Connection;
  /** The newest come last. */
  readonly events: readonly LiveEvent[];
  readonly received: number;
  /** Events that came and are not shown. */
  readonly skipped: number;
  /** Whether the console was started anew while this page was open: what came in between is not known. */
  readonly hasGap: boolean;
  readonly summary: LiveSummary | undefined;
}

/** So many events are kept. Older ones are in the history. */
export const keptEvents = 2_000;
/** How often the page is drawn anew, whatever comes. */
const drawMs = 250;
/** The console speaks every second. If it is silent for so long, it is away. */
const silenceMs = 5_000;
const retryMs = 1_000;

/** Follows the console's stream, and comes back to where it was. */
export class LiveStore {
  #state: LiveState = {
    connection: "connecting",
    events: [],
    received: 0,
    skipped: 0,
    hasGap: false,
    summary: undefined,
  };
  #pending: LiveEvent[] = [];
  #source: EventSource | undefined;
  #place = "";
  #heardAt = 0;
  #isDrawn = true;
  readonly #listeners: Set<(state: LiveState) => void> = new Set();

  get state(): LiveState {
    return this.#state;
  }

  listen(listener: (state: LiveState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  start(): void {
    this.#open();
    setInterval(() => {
      if (this.#state.connection === "live" && performance.now() - this.#heardAt > silenceMs) this.#lost();
    }, 1_000);
  }

  #open(): void {
    const source = new EventSource(`/api/live?${new URLSearchParams({ after: this.#place })}`);
    this.#source = source;
    source.addEventListener("message", ({ data }) => this.#take(JSON.parse(data)));
    // Its own way of coming back gives up when it is refused once.
    source.addEventListener("error", () => this.#lost());
  }

  #lost(): void {
    if (this.#source === undefined) return;
    this.#source.close();
    this.#source = undefined;
    this.#set({ connection: "away" });
    setTimeout(() => void this.#comeBack(), retryMs);
  }

  /** An event source does not say why it was refused. */
  async #comeBack(): Promise<void> {
    const status = await fetch("/api/viewer").then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) {
      this.#open();
    } else {
      if (status === 401) this.#set({ connection: "locked" });
      setTimeout(() => void this.#comeBack(), retryMs);
    }
  }

  #take(message: LiveMessage): void {
    this.#heardAt = performance.now();
    this.#place = `${message.feed}:${message.last}`;
    this.#pending.push(...message.events);
    if (this.#pending.length > keptEvents) this.#pending = this.#pending.slice(-keptEvents);
    const { received, skipped, hasGap, summary } = this.#state;
    this.#state = {
      ...this.#state,
      connection: "live",
      received: received + message.events.length,
      skipped: skipped + message.skipped,
      hasGap: hasGap || message.isNew,
      summary: message.summary ?? summary,
    };
    if (this.#isDrawn) setTimeout(() => this.#draw(), drawMs);
    this.#isDrawn = false;
  }

  #draw(): void {
    this.#isDrawn = true;
    const events = [...this.#state.events, ...this.#pending].slice(-keptEvents);
    this.#pending = [];
    this.#set({ events });
  }

  #set(change: Partial<LiveState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(this.#state);
  }
}
