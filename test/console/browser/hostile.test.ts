import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSignalHistory } from "../../../src/history/index.js";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
  SessionActivityRunSchema,
  SessionContextSchema,
} from "../../../src/index.js";
import { write } from "../../kafka/consumer/consumer-fixtures.js";
import { startRig } from "../console-fixtures.js";
import { launchBrowser } from "./browser.js";
import { expectNoSideways, openConsole } from "./console-page.js";
import { hostileStrings } from "./hostile-strings.js";

const count = 10_000;
/** As many as the live view draws. */
const atOnce = 100;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** An event that says the same hostile text in every field. */
function hostileEvent(text: string, index: number): SessionActivityEvent {
  const context = create(SessionContextSchema, {
    sessionId: text,
    userId: text,
    actorId: text,
    organizationId: text,
    authMethod: text,
    deviceId: text,
    country: text,
    clientIp: text,
    userAgent: text,
    signals: { [text]: text },
  });
  return create(SessionActivityEventSchema, {
    eventId: `${index} ${text}`,
    service: text,
    action: text,
    procedure: text,
    status: text,
    handlerStatus: text,
    instanceId: text,
    sequence: 1n,
    traceparent: text,
    contextProblem: text,
    markSignature: text,
    attributes: { [text]: text },
    startedAt: timestampFromMs(1_790_000_000_000 + index),
    completedAt: timestampFromMs(1_790_000_000_001 + index),
    encodedSessionContext: Buffer.from(toBinary(SessionContextSchema, context)).toString("base64"),
  });
}

/** What is broken in the page: something ran, something was loaded from elsewhere, or something is drawn where it must not be. */
async function brokenIn(page: Page): Promise<string[]> {
  const checks = await page.evaluate(() => {
    const header = document.querySelector("header")?.getBoundingClientRect();
    const boxes = [...document.querySelectorAll(".text")].map((text) => text.getBoundingClientRect());
    const foreign = [...document.links].filter(({ origin }) => origin !== location.origin);
    return {
      "a text was executed": "executed" in window,
      "a text became an element":
        document.querySelector("iframe, object, embed, base, meta[http-equiv], img, style") !== null,
      "a text became a script": document.scripts.length > 1,
      "a text became a link": foreign.length > 0,
      "the page is too wide": document.documentElement.scrollWidth > innerWidth,
      "a text has left its room": boxes.some(({ height, width }) => height > 90 || width > 400),
      "the header has moved": header === undefined || header.top + scrollY !== 0 || header.height > 90,
    };
  });
  return Object.entries(checks).flatMap(([name, isBroken]) => (isBroken ? [name] : []));
}

it(`draws ${count} hostile strings in every field, live and from the history: none runs, and none breaks the layout`, {
  timeout: 600_000,
}, async () => {
  const rig = await startRig();
  const { page, faults } = await openConsole(browser, rig);
  const requests: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(rig.origin)) requests.push(request.url());
  });
  const events = hostileStrings(count, 19).map(hostileEvent);
  for (let from = 0; from < count; from += atOnce) {
    const batch = events.slice(from, from + atOnce);
    await rig.publish(batch);
    // Its number stands at the beginning of each text.
    await page.waitForFunction(
      (first) =>
        document.querySelectorAll("tbody tr").length > 0 &&
        [...document.querySelectorAll("tbody tr")].some((row) =>
          row.children[2]?.textContent?.startsWith(String(first)),
        ),
      from + batch.length - 1,
      { polling: 50 },
    );
    expect(await brokenIn(page)).toEqual([]);
  }
  const history = createSignalHistory({ database: rig.database, accept: () => true, env: false, log: false });
  for (let from = 0; from < count; from += 500) await history.recordBatch(events.slice(from, from + 500));
  await page.goto(`${rig.origin}/search?limit=500&all=yes`);
  let shown = 0;
  for (;;) {
    await page.waitForFunction((before) => document.querySelectorAll("tbody tr").length > before, shown);
    shown = await page.locator("tbody tr").count();
    expect(await brokenIn(page)).toEqual([]);
    if (shown >= 2_000) break;
    await page.getByRole("button", { name: "Show older ones" }).click();
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await expectNoSideways(page);
  expect(requests).toEqual([]);
  expect(faults).toEqual([]);
});

it("draws hostile sessions, signals, filters and runs", async () => {
  const rig = await startRig();
  const { page, faults } = await openConsole(browser, rig);
  const texts = hostileStrings(40, 20);
  const history = createSignalHistory({ database: rig.database, accept: () => true, env: false, log: false });
  await history.recordBatch(texts.map(hostileEvent));
  // These do not count, and say what they came with.
  await rig.history.recordBatch(texts.map((text, index) => hostileEvent(text, 1_000 + index)));
  await write(
    rig.kafka.brokers,
    "session-activity-runs",
    texts.map((text) => ({
      value: toBinary(
        SessionActivityRunSchema,
        create(SessionActivityRunSchema, {
          instanceId: text,
          service: text,
          state: text,
          at: timestampFromMs(Date.now()),
          losses: [{ sequence: 1n, reason: text }],
        }),
      ),
    })),
  );
  for (const whole of texts) {
    // An address has its own bounds.
    const text = whole.slice(0, 300);
    const query = new URLSearchParams({ id: text, action: text, status: text, signal: "country", value: text });
    const unknown = new URLSearchParams({ signal: text });
    for (const address of [`/session?${query}`, `/changes?${query}`, `/changes?${unknown}`, `/?${query}`]) {
      await page.goto(rig.origin + address);
      await page.getByRole("heading", { level: 1 }).waitFor();
      expect(await brokenIn(page)).toEqual([]);
    }
  }
  const short = texts.find((text) => text.length < 200)!;
  await page.goto(`${rig.origin}/session?${new URLSearchParams({ id: short.replaceAll("\0", "\uFFFD") })}`);
  await page.getByText("2 activities are shown.").waitFor();
  await page.getByRole("button", { name: "Reveal personal fields" }).click();
  await page.getByRole("button", { name: "Mask personal fields" }).waitFor();
  expect(await brokenIn(page)).toEqual([]);
  await page.goto(`${rig.origin}/completeness`);
  await page.getByRole("cell").first().waitFor();
  expect(await brokenIn(page)).toEqual([]);
  expect(faults).toEqual([]);
});
