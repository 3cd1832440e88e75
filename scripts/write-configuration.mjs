// Writes docs/configuration.md from the option tables. It runs on the built package: `npm run docs:configuration`.
import { mkdirSync, writeFileSync } from "node:fs";
import { configurationPage } from "../dist/scripts/configuration-page.js";

mkdirSync("docs", { recursive: true });
writeFileSync("docs/configuration.md", configurationPage());
