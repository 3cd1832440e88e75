import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { root } from "../../support/root.js";
import type { ConsoleRig } from "../console-fixtures.js";

/** A console's page in a browser, until the test is over. */
export interface ConsolePage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong in the page: errors, dialogs, and what its policy forbade. */
  readonly faults: string[];
}

/** Opens the address that the console printed. */
export async function openConsole(browser: Browser, { console }: ConsoleRig): Promise<ConsolePage> {
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 }, acceptDownloads: true });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (line) => {
    // While the console is away, the browser says so.
    if (line.type() === "error" && !/Failed to load resource|ERR_/.test(line.text())) faults.push(line.text());
  });
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(console.address);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return { page, context, faults };
}

/** Fails for each of the rules of WCAG 2.2 AA that the page breaks, in light and in dark. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe.source);
    const violations = await page.evaluate(async () => {
      const runner = (globalThis as unknown as { axe: typeof axe }).axe;
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const { violations: found } = await runner.run(document, { runOnly: { type: "tag", values: tags } });
      return found.map(({ id, nodes }) => ({
        id,
        nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => [html, failureSummary]),
      }));
    });
    expect(violations, colorScheme).toEqual([]);
  }
}

/** Fails if the page is wider than its window, as on a phone. */
export async function expectNoSideways(page: Page): Promise<void> {
  const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth] as const);
  expect(widths[0]).toBeLessThanOrEqual(widths[1]);
}

/** `WRITE_IMAGES=1` renews the pictures of the documents, which are to be small. */
const [folder, format] =
  process.env["WRITE_IMAGES"] === "1"
    ? [join(root, "docs", "images"), "webp" as const]
    : [join(root, ".cache", "console"), "png" as const];

/** Draws a screen, light and dark. */
export async function takePictures(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const devtools = await page.context().newCDPSession(page);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const { data } = await devtools.send("Page.captureScreenshot", { format, quality: 60 });
    const picture = Buffer.from(data, "base64");
    expect(picture.length).toBeGreaterThan(5_000);
    writeFileSync(join(folder, `console-${name}-${colorScheme}.${format}`), picture);
  }
  await devtools.detach();
}
