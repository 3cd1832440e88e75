import { createServer } from "node:http";
import { inflateSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listen } from "../../support/listen.js";
import { launchBrowser } from "./browser.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** The size of a PNG picture, and whether it shows more than one colour. */
function pictureOf(png: Buffer): { width: number; height: number; isBlank: boolean } {
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") data.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const bytes = new Set(inflateSync(Buffer.concat(data)));
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20), isBlank: bytes.size < 8 };
}

test("this machine's browser draws a page that comes from a server of this process", async () => {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end("<!doctype html><title>A page</title><h1>It is drawn</h1>");
  });
  const page = await browser.newPage({ viewport: { width: 400, height: 200 } });
  await page.goto((await listen(server)).baseUrl);
  expect(await page.getByRole("heading").textContent()).toBe("It is drawn");
  expect(pictureOf(await page.screenshot())).toEqual({ width: 400, height: 200, isBlank: false });
});
