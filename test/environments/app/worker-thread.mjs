import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { run } from "./run.mjs";

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { stderr: true });
  worker.on("message", (result) => process.stdout.write(`${JSON.stringify(result)}\n`));
} else {
  parentPort.postMessage(await run("localhost:9092"));
}
