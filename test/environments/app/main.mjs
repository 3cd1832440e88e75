import { run } from "./run.mjs";

void run()
  .catch(({ code, message }) => ({ code, message }))
  .then((result) => process.stdout.write(`${JSON.stringify(result)}\n`));
