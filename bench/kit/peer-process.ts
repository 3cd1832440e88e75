import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A process of the benchmark that answers questions, one at a time. It ends with the process that started it. */
export interface PeerProcess<Question, Answer> {
  readonly pid: number;
  ask(question: Question): Promise<Answer>;
  /** Tells it to end, and waits until it has. */
  end(): Promise<void>;
}

/** How the answer to a question goes back. */
interface Reply {
  readonly answer?: unknown;
  readonly error?: string | undefined;
}

/** Starts a compiled script. It answers by {@link answerParent}. */
export async function startScript<Question, Answer>(
  script: URL | string,
  args: readonly string[] = [],
  nodeOptions: readonly string[] = [],
): Promise<PeerProcess<Question, Answer>> {
  const path = typeof script === "string" ? script : fileURLToPath(script);
  const child = fork(path, args, { execArgv: [...nodeOptions] });
  await firstOf<undefined>(child, once(child, "message"));
  return {
    pid: child.pid ?? 0,
    async ask(question) {
      const reply = firstOf<Reply>(child, once(child, "message"));
      child.send({ question });
      const { answer, error } = await reply;
      if (error !== undefined) throw new Error(`${script}: ${error}`);
      return answer as Answer;
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.disconnect();
      await exit;
    },
  };
}

/** Starts a program that answers each line of JSON on its input by one on its output. */
export function startProgram<Question, Answer>(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): PeerProcess<Question, Answer> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  return {
    pid: child.pid ?? 0,
    async ask(question) {
      const reply = firstOf<string>(child, once(lines, "line"));
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const answer = JSON.parse(await reply);
      if (typeof answer.error === "string" && answer.error !== "") throw new Error(`${program}: ${answer.error}`);
      return answer as Answer;
    },
    async end() {
      const exit = once(child, "exit");
      child.stdin.end();
      await exit;
    },
  };
}

/** In a script: answers the parent's questions, and ends when that has gone. */
export function answerParent(answer: (question: never) => unknown, close: () => unknown = () => {}): void {
  const reply = async (question: never): Promise<Reply> => {
    try {
      return { answer: await answer(question) };
    } catch (error) {
      return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  process.on("message", ({ question }: { question: never }) => {
    void reply(question).then((message) => process.send?.(message));
  });
  process.on("disconnect", () => {
    void Promise.resolve(close()).finally(() => process.exit());
  });
  process.send?.({});
}

/** The first value of an event, unless the process ends before. */
async function firstOf<T>(child: ChildProcess, event: Promise<unknown[]>): Promise<T> {
  const ended = new AbortController();
  const exit = once(child, "exit", { signal: ended.signal }).then(([code, signal]) => {
    throw new Error(`a process of the benchmark ended with ${code ?? signal}: ${child.spawnargs.join(" ")}`);
  });
  try {
    const [value] = (await Promise.race([event, exit])) as [T];
    return value;
  } finally {
    ended.abort();
    exit.catch(() => {});
  }
}
