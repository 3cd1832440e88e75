import { createSignalHistory, openSignalDatabase, type SetAsideRecord, type SignalHistory } from "../history/index.js";
import { type Command, optionLines } from "./command.js";
import { describeRefusal } from "./database-refusal.js";
import { closeDatabase } from "./history-worker.js";
import { readSetAsideArguments, type SetAsideOrder, setAsideOptions } from "./set-aside-arguments.js";

/** `session-activity set-aside`. */
export const setAsideCommand: Command = {
  name: "set-aside",
  summary: "Lists the events that a history has set aside, or tries to record them again",
  help: () => `Usage: session-activity set-aside list|retry --database ADDRESS [options]

list   prints a line for each event that can never be recorded: when and why it was set aside, where its record stood, and its
       id. Nothing of its session.
retry  tries to record them again. What is recorded is set aside no more. What is not stays.

Options:
${optionLines(setAsideOptions)}

Exit codes: 0 when it is done, 1 when it cannot go on, 2 for wrong arguments.
`,
  prepare(args) {
    const order = readSetAsideArguments(args);
    return () => run(order, (line) => void process.stdout.write(`${line}\n`));
  },
};

async function run({ action, address, history: options }: SetAsideOrder, print: (line: string) => void): Promise<void> {
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

async function list(history: SignalHistory, print: (line: string) => void): Promise<void> {
  let listed = 0;
  for (let page = await history.listSetAside(); page.length > 0; ) {
    listed += page.length;
    for (const record of page) print(lineOf(record));
    page = await history.listSetAside({ after: page.at(-1)?.cursor });
  }
  print(`Set aside: ${listed}`);
}

async function retry(history: SignalHistory, print: (line: string) => void): Promise<void> {
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
    print(`Recorded: ${total.recorded}, kept: ${total.kept}`);
  }
}

/** Ids and reasons may be anything that somebody wrote to a topic. */
function lineOf({ eventId, topic, partition, offset, reason, setAsideAt, retryable }: SetAsideRecord): string {
  const event = eventId === undefined ? "no event" : `event ${JSON.stringify(eventId)}`;
  const kept = retryable ? "" : "; its bytes are not kept";
  return `${setAsideAt.toISOString()} ${topic}/${partition}@${offset} ${JSON.stringify(reason)} (${event}${kept})`;
}
