import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { joinSignals } from "../../src/service/shared-signal.js";

const reason = new Error("the end");

describe("a joined signal", () => {
  it("is aborted with the first of its signals, for its reason, and tells all who listen once", () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const signal = joinSignals([first.signal, second.signal]);
    const told: unknown[] = [];
    for (let index = 0; index < 3; index++)
      signal.addEventListener("abort", function (this: AbortSignal, event) {
        told.push([index, this === signal, event.target === signal, event.type, signal.reason]);
      });
    second.abort(reason);
    first.abort("too late");
    expect(signal.aborted).toBe(true);
    expect(told).toEqual([0, 1, 2].map((index) => [index, true, true, "abort", reason]));
  });

  it("tells a listener that was added twice once, and one that was taken away not at all", () => {
    const controller = new AbortController();
    const signal = joinSignals([controller.signal]);
    const [twice, away, byOther] = [vi.fn(), vi.fn(), vi.fn()];
    signal.addEventListener("abort", twice);
    signal.addEventListener("abort", twice);
    signal.addEventListener("abort", () => signal.removeEventListener("abort", byOther));
    signal.addEventListener("abort", away);
    signal.addEventListener("abort", byOther);
    signal.removeEventListener("abort", away);
    controller.abort();
    expect([twice, away, byOther].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0]);
  });

  it("tells those that are left when some of very many were taken away, and none twice", () => {
    const controllers = [new AbortController(), new AbortController()] as const;
    const signals = controllers.map(({ signal }) => joinSignals([signal]));
    const listeners = Array.from({ length: 1_000 }, () => vi.fn());
    for (const signal of signals) for (const listener of listeners) signal.addEventListener("abort", listener);
    const [first] = signals;
    const isLeft = (index: number): boolean => index % 7 === 0;
    for (const [index, listener] of listeners.entries()) {
      if (!isLeft(index)) first?.removeEventListener("abort", listener);
    }
    // Once more, after it was taken away.
    for (const listener of listeners.slice(1, 2)) first?.addEventListener("abort", listener);
    controllers[0].abort();
    expect(listeners.map(({ mock }) => mock.calls.length)).toEqual(
      listeners.map((_, index) => Number(isLeft(index) || index === 1)),
    );
    controllers[1].abort();
    expect(listeners.map(({ mock }) => mock.calls.length)).toEqual(
      listeners.map((_, index) => 1 + Number(isLeft(index) || index === 1)),
    );
  });

  it("takes a listener that is frozen, too", () => {
    const controller = new AbortController();
    const signal = joinSignals([controller.signal]);
    const told: string[] = [];
    const [kept, away] = [Object.freeze(() => told.push("kept")), Object.freeze(() => told.push("away"))];
    for (const listener of [kept, away]) signal.addEventListener("abort", listener);
    signal.removeEventListener("abort", away);
    controller.abort();
    expect(told).toEqual(["kept"]);
  });

  it("takes listeners with options, objects and onabort, too", () => {
    const controller = new AbortController();
    const signal = joinSignals([controller.signal]);
    const told: string[] = [];
    const taken = new AbortController();
    signal.addEventListener("abort", () => told.push("once"), { once: true });
    signal.addEventListener("abort", () => told.push("taken away"), { signal: taken.signal });
    signal.addEventListener("abort", { handleEvent: () => told.push("object") });
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    signal.onabort = () => told.push("onabort");
    const both = (): void => void told.push("not capturing");
    signal.addEventListener("abort", both);
    signal.addEventListener("abort", both, { capture: true });
    Reflect.apply(signal.removeEventListener, signal, ["abort", null]);
    // The second time, there is nothing left to take away.
    signal.removeEventListener("abort", both, { capture: true });
    signal.removeEventListener("abort", both, { capture: true });
    signal.removeEventListener("abort", both, true);
    const other = AbortSignal.any([signal]);
    taken.abort();
    controller.abort(reason);
    expect(told).toEqual(["once", "object", "onabort", "not capturing"]);
    expect(other.reason).toBe(reason);
  });

  it("tells the others if a listener throws, and lets the error be seen as Node does", async () => {
    const controller = new AbortController();
    const signal = joinSignals([controller.signal]);
    const told = vi.fn();
    const uncaught = new Promise((resolve) => {
      const others = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const other of others) process.on("uncaughtException", other);
        resolve(error);
      });
    });
    signal.addEventListener("abort", () => {
      throw reason;
    });
    signal.addEventListener("abort", told);
    controller.abort();
    expect(told).toHaveBeenCalledOnce();
    expect(await uncaught).toBe(reason);
  });

  it("has one listener of Node's for all, and none before the first", () => {
    const signal = joinSignals([new AbortController().signal]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    const listeners = Array.from({ length: 1_000 }, () => vi.fn());
    for (const listener of listeners) signal.addEventListener("abort", listener);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
  });

  it("that is aborted already tells nobody any more", () => {
    const signal = joinSignals([AbortSignal.abort(reason)]);
    const told = vi.fn();
    signal.addEventListener("abort", told);
    expect([signal.aborted, signal.reason, told.mock.calls.length]).toEqual([true, reason, 0]);
  });
});
