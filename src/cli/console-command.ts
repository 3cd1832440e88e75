import { once } from "node:events";
import { createLineLogger } from "../base/log.js";
import { type ConsoleOptions, startConsole } from "../console/index.js";
import type { Command } from "./command.js";
import { consoleArguments, readConsoleArguments } from "./console-arguments.js";
import type { Terminal } from "./terminal.js";

/** `session-activity console`. */
export const consoleCommand: Command = {
  name: "console",
  summary: "Shows sessions in a browser: live from Kafka, and back in time from the signal history",
  isEndless: true,
  help: {
    usage: "--brokers HOST:PORT --database ADDRESS [options]",
    about: `Prints an address. Who opens it first, within an hour, is let in. It listens on this machine's loopback only, and each look
is an event on the trail.`,
    options: consoleArguments,
    notes: `Secrets come from the environment: PGPASSWORD or PGPASSFILE, or an address in SESSION_HISTORY_DATABASE; for Kafka, the
variables SESSION_TRACKING_KAFKA_* that services have, too.`,
    examples: [
      {
        does: "Look at the sessions in a database that is only read",
        line: "session-activity console --brokers kafka.internal:9092 --database postgresql://reader@db.internal/history",
      },
      {
        does: "Let others in by a proxy that says who they are",
        line: "session-activity console --brokers kafka.internal:9092 --database postgresql://reader@db.internal/history --host 0.0.0.0 --port 8080 --proxy-header x-forwarded-user --proxy-addresses 10.0.0.1 --public-origin https://console.example",
      },
    ],
    endings: { done: "it was told to end, by SIGTERM or SIGINT" },
  },
  prepare(args) {
    const options = readConsoleArguments(args);
    return (terminal) => run(options, terminal);
  },
};

/** Runs a console until the process is told to end. */
async function run(options: ConsoleOptions, terminal: Terminal): Promise<void> {
  const { ending } = terminal;
  const ended = ending.aborted ? Promise.resolve() : once(ending, "abort");
  const console = await startConsole({ ...options, log: createLineLogger(["warn", "error"]) });
  await terminal.write(`${console.address}\n`);
  await ended;
  await console.close();
}
