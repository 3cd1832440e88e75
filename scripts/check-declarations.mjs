// Fails when a published declaration names a type of the Kafka client: users without it could not compile.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = "dist/src";
const named = readdirSync(root, { recursive: true })
  .filter((file) => file.endsWith(".d.ts"))
  .filter((file) => /(from|import\()\s*["']@confluentinc/.test(readFileSync(join(root, file), "utf8")));
for (const file of named) console.error(`${join(root, file)} imports from the Kafka client`);
process.exitCode = named.length === 0 ? 0 : 1;
