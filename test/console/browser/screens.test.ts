import { readFile } from "node:fs/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SessionActivityRunSchema } from "../../../src/index.js";
import { write } from "../../kafka/consumer/consumer-fixtures.js";
import { until } from "../../support/until.js";
import { type Call, type ConsoleRig, callEvent, startRig } from "../console-fixtures.js";
import { launchBrowser } from "./browser.js";
import { expectAccessible, expectNoSideways, openConsole, takePictures } from "./console-page.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

const noon = Date.UTC(2026, 10, 27, 12, 0, 0);
/** What happened in a session: the country changes at the second login, whose mark nobody had signed. */
const calls: readonly Call[] = [
  { id: "e-1", at: noon, action: "login", signature: "signature-1" },
  { id: "e-2", at: noon + 600_000, action: "update_profile", signature: "signature-2" },
  { id: "e-3", at: noon + 1_300_000, action: "login", country: "FR", verified: false, problem: "signature_missing" },
  {
    id: "e-4",
    at: noon + 1_500_000,
    action: "change_password",
    country: "FR",
    device: "laptop-9",
    signature: "signature-4",
  },
  {
    id: "e-5",
    at: noon + 1_800_000,
    action: "change_email",
    country: "FR",
    device: "laptop-9",
    signature: "signature-4",
    inferred: true,
  },
  {
    id: "e-6",
    at: noon + 1_900_000,
    action: "delete_account",
    country: "US",
    device: "laptop-9",
    status: "PERMISSION_DENIED",
  },
  { id: "e-7", at: noon + 2_000_000, action: "login", session: "session-2", user: "grace@example.com", country: "CH" },
  { id: "e-8", at: noon + 2_100_000, action: "login", session: "session-2", user: "grace@example.com", status: "" },
];

async function startFilledRig(): Promise<ConsoleRig> {
  const rig = await startRig();
  await rig.history.recordBatch(calls.map(callEvent));
  return rig;
}

async function visit(page: Page, view: string): Promise<void> {
  await page.getByRole("navigation").getByRole("link", { name: view }).click();
  await page.getByRole("heading", { level: 1, name: view }).waitFor();
}

async function expectGoodScreen(page: Page, name: string): Promise<void> {
  await expectAccessible(page);
  await takePictures(page, name);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  await expectNoSideways(page);
  await expectAccessible(page);
  await page.setViewportSize({ width: 1100, height: 720 });
}

describe("Live", () => {
  it("shows a call less than a second after its end, with all that is in doubt, and counts it", async () => {
    const rig = await startFilledRig();
    const { page, faults } = await openConsole(browser, rig);
    await page.getByText("runs open").waitFor();
    const endedAt = Date.now();
    await rig.publish([callEvent({ id: "l-1", action: "transfer", instance: "run-1", sequence: 1 })]);
    await page.getByRole("cell", { name: "transfer" }).waitFor({ timeout: 5_000 });
    expect(Date.now() - endedAt).toBeLessThan(1_000);
    await rig.publish([
      callEvent({ id: "l-2", action: "login", status: "UNAUTHENTICATED", signature: "s-1" }),
      callEvent({ id: "l-3", action: "login", signature: "s-1", inferred: true }),
      callEvent({ id: "l-4", action: "change_password", verified: false, problem: "signature_invalid", country: "FR" }),
      // The same again: delivery is at least once.
      callEvent({ id: "l-4", action: "change_password", verified: false, problem: "signature_invalid", country: "FR" }),
    ]);
    const row = page.getByRole("row").filter({ hasText: "change_password" });
    await row.waitFor();
    expect(await row.count()).toBe(1);
    expect(await row.textContent()).toContain("not verified: wrong signature (signature_invalid)");
    expect(await page.getByText("replayed signature").count()).toBe(1);
    expect(await page.getByText("inferred status", { exact: true }).count()).toBe(1);
    await page.getByText("not verified 1").waitFor();
    await page.getByText("refused 1").waitFor();
    await page.getByRole("img", { name: /Calls per minute by status in the last hour: \d+ calls/ }).waitFor();
    await expectGoodScreen(page, "live");
    expect(faults).toEqual([]);
  });

  it("keeps its filters in the address, and stands still while it is paused", async () => {
    const rig = await startFilledRig();
    const { page, context } = await openConsole(browser, rig);
    await page.getByLabel("Action").fill("pass");
    await page.waitForURL(`${rig.origin}/?action=pass`);
    await page.getByLabel("Only what is in doubt").check();
    await rig.publish([
      callEvent({ id: "f-1", action: "change_password" }),
      callEvent({ id: "f-2", action: "password_reset", inferred: true }),
      callEvent({ id: "f-3", action: "login", inferred: true }),
    ]);
    await page.getByRole("cell", { name: "password_reset" }).waitFor();
    expect(await page.getByRole("row").count()).toBe(2);
    // A colleague who opens the same address sees the same.
    const other = await context.newPage();
    await other.goto(page.url());
    await other.getByRole("cell", { name: "password_reset" }).waitFor();
    expect(await other.getByRole("row").count()).toBe(2);
    await page.getByRole("button", { name: "Pause" }).click();
    await rig.publish([callEvent({ id: "f-4", action: "password_hint", inferred: true })]);
    await other.getByRole("cell", { name: "password_hint" }).waitFor();
    await page.getByRole("button", { name: /Go on: [1-9]\d* arrived meanwhile/ }).waitFor();
    expect(await page.getByRole("cell", { name: "password_hint" }).count()).toBe(0);
    await page.getByRole("button", { name: /Go on/ }).click();
    await page.getByRole("cell", { name: "password_hint" }).waitFor();
  });

  it("masks personal fields until they are revealed, and notes that", async () => {
    const rig = await startFilledRig();
    const { page } = await openConsole(browser, rig);
    await rig.publish([callEvent({ id: "m-1", action: "login" })]);
    const row = page.getByRole("row").filter({ hasText: "session-1" });
    await row.waitFor();
    expect(await row.textContent()).toContain("country DE");
    expect(await row.textContent()).not.toMatch(/ada@|phone-7/);
    await row.getByRole("button", { name: "Reveal" }).click();
    await row.getByText("ada@example.com").waitFor();
    await page.getByRole("cell", { name: "console.reveal" }).waitFor();
  });
});

describe("Session", () => {
  it("answers in five interactions which activity changed the country, and whether that call was verified", async () => {
    const rig = await startFilledRig();
    const { page, faults } = await openConsole(browser, rig);
    let interactions = 0;
    const act = async (work: Promise<unknown>): Promise<void> => {
      interactions += 1;
      await work;
    };
    await act(page.getByRole("link", { name: "Session", exact: true }).click());
    await act(page.getByLabel("Session id").fill("session-1"));
    await act(page.getByRole("button", { name: "Show" }).click());
    const row = page.getByRole("row").filter({ hasText: "country: DE → FR" });
    await row.waitFor();
    expect(await row.getByRole("rowheader").textContent()).toBe("login");
    expect(await row.textContent()).toContain("not verified: no signature (signature_missing)");
    expect(interactions).toBeLessThanOrEqual(5);
    await page.getByRole("img", { name: /country: DE since .* by login, then FR since .* by login/ }).waitFor();
    expect(await page.getByText("replayed signature").count()).toBe(2);
    expect(await page.getByText("inferred status", { exact: true }).count()).toBe(1);
    const refused = page.getByRole("row").filter({ hasText: "delete_account" });
    expect(await refused.textContent()).toContain("did not count: the call ended with PERMISSION_DENIED");
    expect(await refused.textContent()).toContain("came with country US, while FR held");
    await expectGoodScreen(page, "session");
    expect(faults).toEqual([]);
  });

  it("shows whose device it was only after that is revealed", async () => {
    const rig = await startFilledRig();
    const { page } = await openConsole(browser, rig);
    await page.goto(`${rig.origin}/session?id=session-1`);
    await page.getByText(/device_id: masked-\w+ →/).waitFor();
    expect(await page.content()).not.toContain("phone-7");
    await page.getByRole("button", { name: "Reveal personal fields" }).click();
    await page.getByText("device_id: phone-7 → laptop-9").waitFor();
    await page.getByRole("button", { name: "Mask personal fields" }).click();
    await page.getByText(/device_id: masked-\w+ →/).waitFor();
  });

  it("does not let anybody conclude from an absence", async () => {
    const rig = await startFilledRig();
    const { page } = await openConsole(browser, rig);
    await page.goto(`${rig.origin}/session?id=nobody`);
    await page.getByText("This history has no activity of this session.").waitFor();
    await page.getByText(/What is not here may have happened all the same/).waitFor();
    // What holds for this history, and not what histories keep by default.
    await page
      .getByText(/Their calls ended with interrupted, OK, PERMISSION_DENIED\. It was never compacted\./)
      .waitFor();
    await page
      .getByText(/No run record is known, so nobody can tell/)
      .first()
      .waitFor();
  });
});

describe("Search and Changes", () => {
  it("find activities by what is known of them, and lead to their session", async () => {
    const rig = await startFilledRig();
    const { page, faults } = await openConsole(browser, rig);
    await visit(page, "Search");
    await page.getByLabel("Status").fill("PERMISSION_DENIED");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("1 activity is shown.").waitFor();
    await page.getByRole("rowheader", { name: "delete_account" }).waitFor();
    await page.getByLabel("Status").fill("");
    await page.getByLabel("User id").fill("grace@example.com");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("link", { name: "session-2" }).first().waitFor();
    await page.getByLabel("User id").fill("");
    await page.getByLabel("Since (UTC)").fill("2026-11-27T12:20");
    await page.getByLabel("Until (UTC)").fill("2026-11-27T12:31");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("3 activities are shown.").waitFor();
    await page.getByLabel("Verified").selectOption("no");
    await page.getByText("1 activity is shown.").waitFor();
    await page.getByLabel("Verified").selectOption("");
    await page.getByText("3 activities are shown.").waitFor();
    await expectGoodScreen(page, "search");
    await visit(page, "Changes");
    await page.getByLabel("Signal").fill("device");
    await page.getByRole("button", { name: "Show" }).click();
    const notice = page.getByRole("alert").filter({ hasText: "This history has no signal named device." });
    await notice.waitFor();
    expect(await page.getByText("no change that fits").count()).toBe(0);
    await expectAccessible(page);
    await notice.getByRole("link", { name: "country" }).click();
    await page.getByText("country: DE → FR").waitFor();
    await page.getByText("country: CH, first seen").waitFor();
    await page.emulateMedia({ colorScheme: "light" });
    await expectGoodScreen(page, "changes");
    await page.getByLabel("Before").fill("DE");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("1 change is shown.").waitFor();
    await page.getByText("country: DE → FR").waitFor();
    await page.getByLabel("Before").fill("FR");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("This history has no change that fits all of this.").waitFor();
    await page.getByLabel("Before").fill("");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("link", { name: "session-2" }).click();
    await page.getByRole("heading", { level: 1, name: "Session" }).waitFor();
    await page.getByText("country: CH, first seen").waitFor();
    const interrupted = page.getByRole("row").filter({ hasText: "interrupted" });
    expect(await interrupted.textContent()).toContain("did not count: the process died inside the call");
    expect(await interrupted.textContent()).toContain("came with country DE, while CH held");
    expect(faults).toEqual([]);
  });

  it("export what is shown, harmless for a spreadsheet", async () => {
    const rig = await startFilledRig();
    await rig.history.record(
      callEvent({ id: "x-1", session: "session-3", action: '=HYPERLINK("https://evil.example")' }),
    );
    const { page } = await openConsole(browser, rig);
    await page.goto(`${rig.origin}/session?id=session-3`);
    await page.getByText("1 activity is shown.").waitFor();
    const texts: string[] = [];
    for (const format of ["CSV", "JSONL"]) {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: `Export ${format}` }).click(),
      ]);
      texts.push(await readFile(await download.path(), "utf8"));
    }
    const [csv = "", jsonl = ""] = texts;
    expect(csv.split("\r\n")).toHaveLength(3);
    expect(csv).toContain(`"'=HYPERLINK(""https://evil.example"")"`);
    expect(JSON.parse(jsonl)).toMatchObject({ id: "x-1", session: "session-3" });
    // What was masked is masked in the file, too.
    expect(csv + jsonl).not.toMatch(/ada@|phone-7/);
  });
});

describe("Completeness", () => {
  it("tells on every view which runs are open, closed and dead, what is missing, and what is declared as lost", async () => {
    const rig = await startFilledRig();
    const { page, faults } = await openConsole(browser, rig);
    const now = Date.now();
    const run = (instanceId: string, state: string, at: number, more = {}) => ({
      value: toBinary(
        SessionActivityRunSchema,
        create(SessionActivityRunSchema, {
          instanceId,
          service: "account-service",
          state,
          startedAt: timestampFromMs(now - 3_600_000),
          at: timestampFromMs(at),
          ...more,
        }),
      ),
    });
    await write(rig.kafka.brokers, "session-activity-runs", [
      run("run-open", "RUNNING", now),
      run("run-closed", "ENDED", now - 1_000_000),
      run("run-dead", "RUNNING", now - 1_000_000, { lastSequence: 7n }),
      run("run-lossy", "RUNNING", now, {
        losses: [
          { sequence: 3n, reason: "queue_full" },
          { sequence: 4n, reason: "queue_full" },
        ],
      }),
    ]);
    for (const view of ["Search", "Session", "Changes", "Live", "Completeness"]) {
      await visit(page, view);
      const bar = page.getByRole("region", { name: "Completeness" });
      await bar.getByText("2 runs open").waitFor();
      await bar.getByText("1 closed").waitFor();
      await bar.getByText("1 dead").waitFor();
      await bar.getByText("2 declared losses").waitFor();
    }
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByRole("cell", { name: "2 queue_full" }).waitFor();
    await page.getByRole("cell", { name: "run-dead" }).waitFor();
    await expectGoodScreen(page, "completeness");
    await visit(page, "Live");
    await page.getByText("declared losses 2").waitFor();
    expect(faults).toEqual([]);
  });
});

describe("the keyboard", () => {
  it("reaches everything: from the skip link to a session's timeline", async () => {
    const rig = await startFilledRig();
    const { page } = await openConsole(browser, rig);
    await page.goto(`${rig.origin}/search?status=OK`);
    await page.getByRole("link", { name: "session-2" }).waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
    let reached = "";
    for (let presses = 0; presses < 60 && reached !== "session-2"; presses += 1) {
      await page.keyboard.press("Tab");
      reached = await page.evaluate(() =>
        document.activeElement?.tagName === "A" ? (document.activeElement.textContent ?? "") : "",
      );
    }
    expect(reached).toBe("session-2");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Session" }).waitFor();
    await until(async () => (await page.evaluate(() => document.activeElement?.tagName)) === "H1");
  });
});
