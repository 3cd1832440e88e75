import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { matrixTable } from "../failures/matrix.js";

const path = new URL("../../docs/failures.md", import.meta.url);
const marker = "<!-- made by npm run docs:failures -->";

it("docs/failures.md has the matrix that the tests find: npm run docs:failures writes it", () => {
  const page = readFileSync(path, "utf8");
  const [before] = page.split(marker);
  const expected = `${before}${marker}\n\n${matrixTable()}\n`;
  if (process.env["WRITE_FAILURES"] === "1") writeFileSync(path, expected);
  else expect(page).toBe(expected);
});
