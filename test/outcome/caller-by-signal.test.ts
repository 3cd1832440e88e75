import { expect, it } from "vitest";
import type { Call } from "../../src/outcome/caller.js";
import { watchCallerBySignal } from "../../src/outcome/caller-by-signal.js";
import { createCollector } from "../support/heap-gauge.js";
import { until } from "../support/until.js";

/** Watches a call and stops, as its end does. Gives what the signal was given, which Node keeps for a while. */
function watchToTheEnd() {
  const listeners: unknown[] = [];
  const { signal } = new AbortController();
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners.push(given[1]);
    add(...given);
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const call = { signal, header: new Headers() } as unknown as Call;
  const watch = watchCallerBySignal(call, { isShutdown: () => false }, { callerReceived() {}, callerLeft() {} });
  watch.start();
  watch.stop();
  return { listeners, call: new WeakRef(call) };
}

it("lets go of a call when it is over, though Node keeps the listener", async () => {
  const collect = createCollector();
  const { listeners, call } = watchToTheEnd();
  await until(() => {
    collect();
    return call.deref() === undefined;
  });
  expect(listeners).toHaveLength(1);
});
