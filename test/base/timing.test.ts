import { afterEach, describe, expect, it, vi } from "vitest";
import { inTime, pause, resolvesWithin } from "../../src/base/timing.js";

afterEach(() => {
  vi.useRealTimers();
});

describe("inTime", () => {
  it("resolves and rejects as the promise does", async () => {
    await expect(inTime(Promise.resolve(7))).resolves.toBe(7);
    await expect(inTime(Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  });

  it("rejects after 5 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const late = expect(inTime(new Promise(() => {}))).rejects.toThrow("this took too long");
    vi.advanceTimersByTime(5_000);
    await late;
  });

  it("takes what was ready while the event loop stood still, though the time is over", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const ready = new Promise<string>((resolve) => setImmediate(resolve, "ready"));
    const waiting = inTime(ready);
    vi.advanceTimersByTime(10_000);
    await expect(waiting).resolves.toBe("ready");
  });
});

describe("resolvesWithin", () => {
  it("answers whether the promise resolved in time, and rejects as it does", async () => {
    expect(await resolvesWithin(1_000, Promise.resolve())).toBe(true);
    expect(await resolvesWithin(1, new Promise(() => {}))).toBe(false);
    await expect(resolvesWithin(1_000, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  });
});

describe("pause", () => {
  it("answers true when the time is over, and false as soon as the signal aborts", async () => {
    const { signal } = new AbortController();
    expect(await pause(1, signal)).toBe(true);
    const stopping = new AbortController();
    const waiting = pause(60_000, stopping.signal);
    stopping.abort();
    expect(await waiting).toBe(false);
    expect(await pause(60_000, stopping.signal)).toBe(false);
  });
});
