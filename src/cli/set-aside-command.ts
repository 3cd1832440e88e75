import { printableJson } from "../base/text.js";
import { createSignalHistory, openSignalDatabase, type SetAsideRecord, type SignalHistory } from "../history/index.js";
import type { Command } from "./command.js";
import { describeRefusal } from "./database-refusal.js";
import { closeDatabase } from "./history-worker.js";
import { readSetAsideArguments, type SetAsideOrder, setAsideOptions } from "./set-aside-arguments.js";

/** `session-activity set-aside`. */
export const setAsideCommand: Command = {
  name: "set-aside",
  summary: "Lists the events that a history has set aside, or tries to record them again",
  help: {
    usage: "list|retry --database ADDRESS [options]",
    about: `list   prints a line for each event that can never be recorded: when and why it was set aside, where its record stood, and
       its id. Nothing of its session.
retry  tries to record them again. What is recorded is set aside no more. What is not stays.`,
    options: setAsideOptions,
    examples: [
      {
        does: "See what was set aside, and why",
        line: "session-activity set-aside list --database postgresql://recorder@db.internal/history",
      },
      {
        does: "Try again after the cause was mended",
        line: "session-activity set-aside retry --database postgresql://recorder@db.internal/history",
      },
    ],
    endings: {},
  },
  prepare(args) {
    const order = readSetAsideArguments(args);
    return (terminal) => run(order, (line) => terminal.write(`${line}\n`));
  },
};

type Print = (line: string) => Promise<void>;

async function run({ action, address, history: options }: SetAsideOrder, print: Print): Promise<void> {
  const database = openSignalDatabase({ ...address, env: false });
  const history = createSignalHistory({ ...options, database, env: false });
  try {
    await (action === "list" ? list(history, print) : retry(history, print));
  } catch (error) {
    throw new Error(`the database refuses or is away: ${describeRefusal(error)}`, { cause: error });
  } finally {
    await closeDatabase(database);
  }
}

async function list(history: SignalHistory, print: Print): Promise<void> {
  let listed = 0;
  for (let page = await history.listSetAside(); page.length > 0; ) {
    listed += page.length;
    for (const record of page) await print(lineOf(record));
    page = await history.listSetAside({ after: page.at(-1)?.cursor });
  }
  await print(`Set aside: ${listed}`);
}

async function retry(history: SignalHistory, print: Print): Promise<void> {
  const total = { recorded: 0, kept: 0 };
  let after: string | undefined;
  try {
    do {
      const { recorded, kept, cursor } = await history.retrySetAside({ after });
      total.recorded += recorded;
      total.kept += kept;
      after = cursor;
    } while (after !== undefined);
  } finally {
    await print(`Recorded: ${total.recorded}, kept: ${total.kept}`);
  }
}

/** Ids and reasons may be anything that somebody wrote to a topic. */
function lineOf({ eventId, topic, partition, offset, reason, setAsideAt, retryable }: SetAsideRecord): string {
  const event = eventId === undefined ? "no event" : `event ${JSON.stringify(eventId)}`;
  const kept = retryable ? "" : "; its bytes are not kept";
  const text = `${setAsideAt.toISOString()} ${topic}/${partition}@${offset} ${JSON.stringify(reason)} (${event}${kept})`;
  return printableJson(text);
}
