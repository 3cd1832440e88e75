// Runs a history worker in a process of its own, so that a test can kill it. argv holds the path of the compiled package's
// folder, and the options as JSON. It prints its stats again and again. On a line on stdin it closes; with the end of stdin,
// which is the end of the test, it just exits.
import { createInterface } from "node:readline";

const [folder, json] = process.argv.slice(2);
const { database: url, statementMs = 0, ...options } = JSON.parse(json);
const { startHistoryWorker } = await import(`${folder}/src/cli/history-worker.js`);
const { openSignalDatabase } = await import(`${folder}/src/history/index.js`);
const database = openSignalDatabase({ url });
let last = Promise.resolve();
const slow = {
  async query(text, values) {
    // One after another.
    last = last.then(() => new Promise((resolve) => setTimeout(resolve, statementMs)));
    await last;
    return database.query(text, values);
  },
};
const worker = startHistoryWorker({ ...options, database: slow });
setInterval(() => process.stdout.write(`${JSON.stringify(worker.stats())}\n`), 10);
const input = createInterface(process.stdin);
input.on("close", () => process.exit(0));
input.once("line", () => {
  void worker
    .close()
    .then(() => database.close())
    .then(() => process.exit(0));
});
