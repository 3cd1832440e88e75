/** What a component depends on. */
export type Dependency = "Kafka" | "PostgreSQL" | "JWKS" | "token provider" | "dead-letter topic" | "disk";

/** One cell of the matrix: what a failure of a dependency does to a component. The tests find it to be so. */
export interface Cell {
  readonly dependency: Dependency;
  readonly failure: string;
  readonly component: "service publisher" | "consumer" | "history worker" | "durable publisher" | "verifier";
  /** What its counts say then, and did not say before. */
  readonly counted: readonly string[];
  /** The kinds of its log lines. */
  readonly logged: readonly string[];
  /** How it goes on. */
  readonly goesOn: string;
}

const keys = "the last good keys hold; the next fetch that succeeds ends it";
const queue = "calls run, and events wait; all are delivered when Kafka is back";
const wait = "it stays a member if it can, and reads on from its offsets when Kafka is back";
const aside = "the partition waits and tries again; when the topic takes the record, it goes on";
const batch = "partitions wait, and each batch is tried again; all is recorded when the database is back";
const spool = "calls run, and events go to Kafka from memory; they go into the spool again when the disk is back";
const token = "it is asked again with back-off; events wait, and are delivered when it gives a token";

/** All cells. Each has a run of the same names. */
export const cells: readonly Cell[] = [
  cell("JWKS", "is absent", "verifier", ["refreshFailed", "refreshProblem: refused"], ["jwks_not_fetched"], keys),
  cell(
    "JWKS",
    "resets connections",
    "verifier",
    ["refreshFailed", "refreshProblem: cut_off"],
    ["jwks_not_fetched"],
    keys,
  ),
  cell("JWKS", "hangs", "verifier", ["refreshFailed", "refreshProblem: timed_out"], ["jwks_not_fetched"], keys),
  cell(
    "JWKS",
    "answers wrongly",
    "verifier",
    ["refreshFailed", "refreshProblem: not_json"],
    ["jwks_not_fetched"],
    keys,
  ),
  cell(
    "JWKS",
    "refuses for good",
    "verifier",
    ["refreshFailed", "refreshProblem: wrong_status"],
    ["jwks_not_fetched"],
    keys,
  ),
  cell(
    "JWKS",
    "is absent for longer than `maxStaleMs`",
    "verifier",
    ["stale", "verdict: key_stale"],
    ["jwks_stale"],
    "calls run, and no mark by its keys holds until a fetch succeeds",
  ),
  cell("Kafka", "is absent", "service publisher", ["queued"], ["kafka_down"], queue),
  cell("Kafka", "hangs", "service publisher", ["queued"], ["kafka_client_reqtmout"], queue),
  cell("Kafka", "breaks connections", "service publisher", ["queued"], ["kafka_down"], queue),
  cell(
    "Kafka",
    "refuses for good",
    "service publisher",
    ["dropped.unauthorized"],
    ["drop_unauthorized"],
    "calls run; events are dropped until the right is granted",
  ),
  cell("Kafka", "is absent", "consumer", [], ["kafka_down"], wait),
  cell("Kafka", "hangs", "consumer", [], ["kafka_client_reqtmout"], wait),
  cell(
    "Kafka",
    "is absent at the start",
    "history worker",
    ["problems: not_joined"],
    ["kafka_down"],
    "it is not ready, and begins when Kafka is up",
  ),
  cell("dead-letter topic", "is absent", "consumer", ["problems: standstill"], ["set_aside_stuck"], aside),
  cell(
    "dead-letter topic",
    "refuses for good",
    "consumer",
    ["problems: set_aside_blocked"],
    ["set_aside_blocked"],
    aside,
  ),
  cell("dead-letter topic", "hangs", "consumer", ["problems: standstill"], ["set_aside_stuck"], aside),
  cell(
    "dead-letter topic",
    "takes no record, however small",
    "consumer",
    ["lost"],
    ["record_lost"],
    "the record is passed over, and the log says where it stands",
  ),
  cell("PostgreSQL", "is absent", "history worker", ["problems: database_away"], ["database_down"], batch),
  cell("PostgreSQL", "resets connections", "history worker", ["problems: database_away"], ["database_down"], batch),
  cell("PostgreSQL", "hangs", "history worker", ["problems: database_stuck"], ["database_stuck"], batch),
  cell("PostgreSQL", "answers wrongly", "history worker", ["problems: database_away"], ["database_down"], batch),
  cell(
    "PostgreSQL",
    "refuses for good, at the start",
    "history worker",
    ["problems: stopping"],
    ["database_refuses"],
    "it ends with exit code 1 and the reason",
  ),
  cell(
    "PostgreSQL",
    "refuses for good, later",
    "history worker",
    ["problems: database_refuses", "problems: handler_blocked"],
    ["database_refuses", "handler_blocked"],
    "partitions wait, and each batch is tried again; after 10 minutes it ends with exit code 1 and the reason",
  ),
  cell(
    "PostgreSQL",
    "refuses one event",
    "history worker",
    ["history.setAside"],
    ["event_set_aside"],
    "the event is set aside, and all others are recorded",
  ),
  cell("token provider", "fails", "service publisher", ["queued"], ["kafka_oauth_token"], token),
  cell("token provider", "hangs", "service publisher", ["queued"], ["kafka_oauth_token"], token),
  cell("token provider", "answers wrongly", "service publisher", ["queued"], ["kafka_oauth_token"], token),
  cell(
    "disk",
    "has a file where the embedded database's folder should be",
    "history worker",
    ["problems: stopping"],
    ["database_refuses"],
    "it ends with exit code 1 and the reason",
  ),
  cell("disk", "fails", "durable publisher", ["spool.unrecorded.error"], ["spool_failed"], spool),
  cell("disk", "hangs", "durable publisher", ["spool.unrecorded.slow"], ["spool_slow"], spool),
  cell(
    "disk",
    "takes no more than `maxBytes`",
    "durable publisher",
    ["spool.unrecorded.full"],
    ["spool_full"],
    "calls run, and events go to Kafka from memory, until Kafka has taken what lies there",
  ),
];

function cell(
  dependency: Dependency,
  failure: string,
  component: Cell["component"],
  counted: readonly string[],
  logged: readonly string[],
  goesOn: string,
): Cell {
  return { dependency, failure, component, counted, logged, goesOn };
}

/** Counts and texts of an object by their paths: those that say something. */
export function saidBy(value: unknown, path = ""): string[] {
  if (typeof value === "string") return [`${path}: ${value}`];
  if (value === false) return [`${path}: false`];
  if (value === true || (typeof value === "number" && value !== 0)) return [path];
  if (Array.isArray(value)) return value.map((one) => `${path}: ${String(one)}`);
  if (typeof value !== "object" || value === null || value instanceof Date) return [];
  return Object.entries(value).flatMap(([name, inner]) => saidBy(inner, path === "" ? name : `${path}.${name}`));
}

/** The matrix, as the documents show it. */
export function matrixTable(): string {
  const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
  const rows = cells.map(({ dependency, failure, component, counted, logged, goesOn }) =>
    ["", dependency, failure, component, code(counted), code(logged), goesOn, ""].join(" | ").trim(),
  );
  const head = "| What fails | How | Where | What is counted | What is logged | How it goes on |";
  return [head, "| --- | --- | --- | --- | --- | --- |", ...rows].join("\n");
}
