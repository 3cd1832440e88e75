import { afterEach, expect, it, vi } from "vitest";
import { inTime } from "../../src/base/patience.js";

afterEach(() => {
  vi.useRealTimers();
});

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
