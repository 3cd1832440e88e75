import type { ConsumerProblem, ConsumerStats } from "../kafka/index.js";
import type { WatchedDatabase } from "./watched-database.js";

/**
 * What keeps a worker from its work: what its consumer has, and these.
 *
 * - `stopping`: it was told to end, or has ended
 * - `database_away`: the database cannot be reached, or was not asked yet
 * - `database_refuses`: the database says no until somebody acts, for one because its password was changed
 * - `database_stuck`: the database has not answered a statement for longer than `stuckAfterMs`
 * - `not_joined`: it is not a member of its group
 */
export type WorkerProblem =
  | "stopping"
  | "database_away"
  | "database_refuses"
  | "database_stuck"
  | "not_joined"
  | ConsumerProblem;

/** What heals only if somebody acts: the worker ends if it lasts. */
const blocking: ReadonlySet<WorkerProblem> = new Set<WorkerProblem>([
  "database_refuses",
  "read_blocked",
  "handler_blocked",
  "set_aside_blocked",
]);

/** What a worker is made of, as far as problems go. */
export interface WorkerParts {
  readonly isStopping: boolean;
  readonly database: WatchedDatabase;
  readonly consumer: ConsumerStats | undefined;
  readonly stuckAfterMs: number;
}

/** The problems at this moment. */
export function problemsOf({ isStopping, database, consumer, stuckAfterMs }: WorkerParts): WorkerProblem[] {
  const { state, oldestInHandMs } = database;
  const own: readonly (readonly [WorkerProblem, boolean])[] = [
    ["stopping", isStopping],
    ["database_away", state === "away" || state === "unknown"],
    ["database_refuses", state === "refuses"],
    ["database_stuck", oldestInHandMs >= stuckAfterMs],
    ["not_joined", !(consumer?.joined ?? false)],
  ];
  return [...own.flatMap(([problem, holds]) => (holds ? [problem] : [])), ...(consumer?.problems ?? [])];
}

/** Why a worker ends that has been blocked for too long. */
export function reasonToEnd(problems: readonly WorkerProblem[], refusal: string | undefined): string {
  const isDatabase = problems.some((problem) => problem === "database_refuses" || problem === "handler_blocked");
  if (isDatabase) return `the database refuses: ${refusal ?? "it does not say why"}`;
  if (problems.includes("set_aside_blocked")) {
    return "Kafka refuses what is set aside: check that the dead-letter topic exists, and the right to write to it";
  }
  return "Kafka refuses to give out records: check that the topic exists, and the right to read topic and group";
}

/** Watches for what blocks a worker. */
export interface BlockWatch {
  /** Resolves when something has blocked the worker without a break for `giveUpAfterMs`, with what it was. */
  readonly givenUp: Promise<readonly WorkerProblem[]>;
  stop(): void;
}

/** How often it is looked for problems, at least. */
const maxLookMs = 1_000;

/** Starts the watch. */
export function watchForBlocks(giveUpAfterMs: number, problems: () => readonly WorkerProblem[]): BlockWatch {
  let blockedSinceMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<readonly WorkerProblem[]>((resolve) => {
    function look(): void {
      const found = problems().filter((problem) => blocking.has(problem));
      if (found.length === 0) blockedSinceMs = undefined;
      else blockedSinceMs ??= performance.now();
      if (blockedSinceMs !== undefined && performance.now() - blockedSinceMs >= giveUpAfterMs) resolve(found);
    }
    timer = setInterval(look, Math.min(maxLookMs, giveUpAfterMs / 4)).unref();
  });
  return { givenUp, stop: () => clearInterval(timer) };
}
