import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { configurationPage, documentedVariables } from "../../scripts/configuration-page.js";

const page = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");

describe("docs/configuration.md", () => {
  it("is what the tables say: npm run docs:configuration writes it", () => {
    expect(page).toBe(configurationPage());
  });

  it("has every variable, each with a meaning, a value and a default", () => {
    const variables = documentedVariables();
    expect(variables.length).toBeGreaterThan(40);
    for (const variable of variables) expect(page).toContain(`| \`${variable}\` | `);
    const rows = page.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows.length).toBeGreaterThan(100);
    for (const row of rows) expect(row).not.toMatch(/undefined|\[object|NaN/);
  });

  it("has no value of a secret, and no words that only code has", () => {
    expect(page).not.toMatch(/=>|function \(/);
  });
});
