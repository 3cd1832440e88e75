// `npm run demo -- --keep`, and a fresh pair of eyes.
import { expect, it, onTestFinished } from "vitest";
import { runProgram } from "../../support/program.js";
import { launchBrowser } from "./browser.js";

it("the demo stays up with a console, in which its story is to be read", async () => {
  const demo = runProgram("examples/demo/main.js", ["--keep"], {});
  const address = /^.*works once: (http:\S+)$/m;
  await expect.poll(() => demo.stdout, { timeout: 90_000 }).toMatch(address);
  expect(demo.stdout).not.toContain("FAIL");
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(address.exec(demo.stdout)?.[1] ?? "");
  // Live has what came since the console was started.
  await page.getByRole("cell", { name: "delete_account" }).waitFor();
  await page.getByRole("link", { name: "session-1" }).first().click();
  const row = page.getByRole("row").filter({ hasText: "country: DE → FR" });
  await row.waitFor();
  expect(await row.getByRole("rowheader").textContent()).toBe("login");
  expect(await row.textContent()).toContain("verified");
  await page.getByText("UNAUTHENTICATED").first().waitFor();
  expect(await demo.stop()).toBe(0);
});
