import { isMainThread, Worker } from "node:worker_threads";
import { run } from "./run.mjs";

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  worker.on("error", (error) => {
    throw error;
  });
} else {
  const result = await run("localhost:9092");
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
