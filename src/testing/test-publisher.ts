import * as timers from "node:timers";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { wrongOption } from "../base/option-error.js";
import { milliseconds, type OptionsOf, readOptions } from "../base/options.js";
import { createMemoryPublisher } from "../publishing/memory-publisher.js";
import type { Publisher } from "../publishing/publisher.js";

/** Taken at load: fake timers of a test runner, which come later, do not stop a wait. */
const { setTimeout, clearTimeout } = timers;

/** Options of `waitFor`. */
export interface WaitOptions {
  /**
   * How long to wait, in milliseconds of real time.
   *
   * @default 4_000, which is less than vitest and Jest give a test
   */
  timeoutMs?: number | undefined;
}

/** A publisher that keeps its events, for a test to wait for. */
export interface TestPublisher extends Publisher {
  /** The events since the creation or the last `clear`, in the order of their publishing. */
  readonly events: readonly SessionActivityEvent[];
  /**
   * Resolves as soon as there are that many events, with the events. They count from the creation or the last `clear`.
   *
   * Rejects after `timeoutMs` with an Error that lists the events that came.
   *
   * @example const [event] = await publisher.waitFor(1);
   */
  waitFor(count: number, options?: WaitOptions): Promise<readonly SessionActivityEvent[]>;
  /**
   * Resolves with the first event for which the predicate holds, as soon as there is one. Events that came before count.
   *
   * Rejects after `timeoutMs` with an Error that lists the events that came, and with what the predicate throws.
   *
   * @example const event = await publisher.waitFor(({ action }) => action === "change_password");
   */
  waitFor(predicate: (event: SessionActivityEvent) => boolean, options?: WaitOptions): Promise<SessionActivityEvent>;
  /** Forgets the events. The counts stay. */
  clear(): void;
}

const waitTable: OptionsOf<{ readonly timeoutMs: number }> = {
  timeoutMs: milliseconds({ meaning: "How long to wait for events", byDefault: 4_000 }),
};

/**
 * Creates a publisher for tests, which need no Kafka with it.
 *
 * @example
 * const publisher = createTestPublisher();
 * const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher });
 */
export function createTestPublisher(): TestPublisher {
  const memory = createMemoryPublisher();
  const waiting = new Set<() => void>();
  let cleared = 0;
  const events = (): readonly SessionActivityEvent[] => memory.events.slice(cleared);

  /** Resolves with what `find` finds, now or after one of the next events. */
  function waitUntil<T>(
    what: string,
    find: () => T | undefined,
    { timeoutMs }: { readonly timeoutMs: number },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look);
        reject(new Error(`waited ${timeoutMs} ms for ${what}, got ${describeAll(events())}`));
      }, timeoutMs);
      function look(): void {
        try {
          const found = find();
          if (found === undefined) return;
          resolve(found);
        } catch (error) {
          reject(error);
        }
        waiting.delete(look);
        clearTimeout(timer);
      }
      waiting.add(look);
      look();
    });
  }

  function waitFor(count: number, options?: WaitOptions): Promise<readonly SessionActivityEvent[]>;
  function waitFor(
    predicate: (event: SessionActivityEvent) => boolean,
    options?: WaitOptions,
  ): Promise<SessionActivityEvent>;
  async function waitFor(
    wanted: number | ((event: SessionActivityEvent) => boolean),
    options?: WaitOptions,
  ): Promise<readonly SessionActivityEvent[] | SessionActivityEvent> {
    const settings = readOptions("waitFor", waitTable, options);
    if (typeof wanted === "function") return waitUntil("an event that fits", () => events().find(wanted), settings);
    if (!Number.isInteger(wanted) || wanted < 1) {
      throw wrongOption("the argument of waitFor", "a number of events from 1 upward, or a function", wanted);
    }
    const enough = (): readonly SessionActivityEvent[] | undefined => (events().length < wanted ? undefined : events());
    return waitUntil(`${wanted} event${wanted === 1 ? "" : "s"}`, enough, settings);
  }

  return {
    ...memory,
    get events() {
      return events();
    },
    publish(...args) {
      memory.publish(...args);
      for (const look of waiting) look();
    },
    waitFor,
    clear() {
      cleared = memory.events.length;
    },
  };
}

/** Names the events by what they are about. */
function describeAll(events: readonly SessionActivityEvent[]): string {
  if (events.length === 0) return "none";
  return `${events.length}: ${events.map(({ action, status }) => `${action} ${status}`).join(", ")}`;
}
