import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pause, until } from "../../support/until.js";
import { callEvent, startRig } from "../console-fixtures.js";
import { launchBrowser } from "./browser.js";
import { openConsole } from "./console-page.js";
import { watchTasks } from "./main-thread.js";

const count = 100_000;
const atOnce = 2_000;
const everyMs = 200;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

it(`takes ${count} live events: no task over 100 ms, and a page and a memory that do not grow`, {
  timeout: 300_000,
}, async () => {
  const rig = await startRig();
  const { page, faults, context } = await openConsole(browser, rig);
  const devtools = await context.newCDPSession(page);
  const heapOf = async (): Promise<number> => {
    await devtools.send("HeapProfiler.collectGarbage");
    const { usedSize } = await devtools.send("Runtime.getHeapUsage");
    return usedSize;
  };
  const publish = (from: number): Promise<void> =>
    rig.publish(
      Array.from({ length: atOnce }, (_, index) =>
        callEvent({
          id: `load-${from + index}`,
          action: `action-${index % 50}`,
          session: `session-${index}`,
          status: index % 10 === 0 ? "NOT_FOUND" : "OK",
        }),
      ),
    );
  await publish(0);
  await until(async () => (await page.locator("tbody tr").count()) === 100);
  const heapBefore = await heapOf();
  const tasksOf = await watchTasks(browser, page);
  for (let from = atOnce; from < count; from += atOnce) {
    await Promise.all([publish(from), pause(everyMs)]);
  }
  // The chart counts all of them, whether they are drawn or not.
  const total = (): Promise<string | null> =>
    page.getByRole("img", { name: /Calls per minute/ }).getAttribute("aria-label");
  await until(async () => Number(/(\d+) calls$/.exec((await total()) ?? "")?.[1]) >= count, total, 60_000);
  const { tasks, longestMs } = await tasksOf();
  expect(tasks).toBeGreaterThan(100);
  expect(longestMs).toBeGreaterThan(1);
  expect(longestMs).toBeLessThanOrEqual(100);
  expect(await page.locator("*").count()).toBeLessThan(10_000);
  const heapAfter = await heapOf();
  expect(heapAfter).toBeLessThan(heapBefore + 20 * 1024 * 1024);
  expect(faults).toEqual([]);
});
