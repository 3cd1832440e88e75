import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Starts the machine's own Chromium, without a window. `CHROMIUM` names another one. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? places.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error("no Chromium on this machine: apt-get install chromium");
  // Chromium's sandbox does not work for root, as whom CI runs. The pages are ours.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args });
}
