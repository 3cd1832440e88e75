import { run } from "./run.mjs";

const result: object = await run();
process.stdout.write(`${JSON.stringify(result)}\n`);
