/** What a component depends on. */
export const dependencies = ["Kafka", "dead-letter topic", "PostgreSQL", "JWKS", "token provider", "disk"] as const;
export type Dependency = (typeof dependencies)[number];

/** How a dependency can fail. That it comes back is the end of each. */
export const failures = ["is absent", "refuses", "hangs", "answers wrongly", "refuses for good"] as const;
export type Failure = (typeof failures)[number];

/** What depends on it. */
export const components = [
  "service publisher",
  "durable publisher",
  "consumer",
  "signal history",
  "history worker",
  "verifier",
] as const;
export type Component = (typeof components)[number];

/** The command that runs a cell. */
export type Suite = "npm test" | "npm run test:kafka" | "npm run test:postgres";

/** One cell of the matrix: what a failure of a dependency does to a component. The tests find it to be so. */
export interface Cell {
  readonly dependency: Dependency;
  readonly component: Component;
  readonly failure: Failure;
  /** In what way. Empty if there is no more to say. */
  readonly how: string;
  readonly suite: Suite;
  /** What its counts say then, and did not say before. */
  readonly counted: readonly string[];
  /** The kinds of its log lines. */
  readonly logged: readonly string[];
  /** What it does meanwhile. */
  readonly meanwhile: string;
  /** What it does when the dependency is back. */
  readonly back: string;
}

/** Failures that a component cannot meet, and why. */
export interface Excluded {
  readonly dependency: Dependency;
  readonly components: readonly Component[];
  readonly failures: readonly Failure[];
  readonly reason: string;
}

const junk = "something else listens there";
const garbled = "its answers are garbled";
const cut = "connections break";

/** All cells. Each has a run of the same names. */
export const cells: readonly Cell[] = [
  ...ofKafka(),
  ...ofDeadLetters(),
  ...ofPostgres(),
  ...ofJwks(),
  ...ofTokens(),
  ...ofDisks(),
];

/** What is no cell. A test sees to it that every failure of everything is one or the other. */
export const excluded: readonly Excluded[] = [
  without("Kafka", ["signal history"], failures, "it is given events, and does not ask where they come from"),
  without("Kafka", ["verifier"], failures, "it asks for keys only"),
  without(
    "dead-letter topic",
    ["service publisher", "durable publisher", "signal history", "verifier"],
    failures,
    "only who reads records sets some aside on Kafka",
  ),
  without(
    "PostgreSQL",
    ["service publisher", "durable publisher", "consumer", "verifier"],
    failures,
    "it uses no database; what a handler does with one is the handler's business",
  ),
  without(
    "JWKS",
    ["service publisher", "durable publisher", "consumer", "signal history", "history worker"],
    failures,
    "it checks no signatures: events say whether theirs held",
  ),
  without(
    "token provider",
    ["service publisher", "consumer", "history worker"],
    ["is absent"],
    "it is a function: if brokers ask for tokens and none is given, the start fails with `ERR_OPTION_MISSING`",
  ),
  without(
    "token provider",
    ["service publisher", "consumer", "history worker"],
    ["refuses for good"],
    "whatever it throws may pass: it is asked again, without limit",
  ),
  without("token provider", ["durable publisher"], failures, "the publisher beneath it asks for tokens"),
  without("token provider", ["signal history", "verifier"], failures, "it does not log in at Kafka"),
  without("disk", ["service publisher", "consumer", "verifier"], failures, "it keeps nothing on a disk"),
  without(
    "disk",
    ["signal history"],
    failures,
    "its database has the disk: see PostgreSQL, and the history worker with a folder",
  ),
  without(
    "disk",
    ["history worker"],
    ["hangs"],
    "an embedded database writes in the worker's only thread: the whole process hangs, and so does its health endpoint",
  ),
];

function without(dependency: Dependency, by: readonly Component[], what: readonly Failure[], reason: string): Excluded {
  return { dependency, components: by, failures: what, reason };
}

/** A row without what its siblings share. */
type Row = readonly [failure: Failure, how: string, counted: readonly string[], logged: readonly string[], end?: End];

/** What a component does meanwhile, and when the dependency is back. */
interface End {
  readonly meanwhile: string;
  readonly back: string;
}

function rows(
  dependency: Dependency,
  component: Component,
  suite: Suite,
  shared: End,
  own: readonly Row[],
): readonly Cell[] {
  return own.map(([failure, how, counted, logged, end = shared]) => ({
    dependency,
    component,
    failure,
    how,
    suite,
    counted,
    logged,
    ...end,
  }));
}

function ofKafka(): readonly Cell[] {
  const queue = { meanwhile: "calls run, and events wait", back: "all are delivered" };
  const dropped = { meanwhile: "calls run, and events are dropped", back: "events are delivered again" };
  const wait = { meanwhile: "it stays a member if it can, and waits", back: "it reads on from its offsets" };
  const stored = { meanwhile: "calls run, and events wait on the disk", back: "all are delivered" };
  const early = { meanwhile: "it is not ready", back: "it begins" };
  return [
    ...rows("Kafka", "service publisher", "npm test", queue, [
      ["is absent", "", ["queued"], ["kafka_down"]],
      ["refuses", cut, ["queued"], ["kafka_down"]],
      ["hangs", "", ["queued"], ["kafka_client_reqtmout"]],
      ["answers wrongly", junk, ["queued"], ["kafka_down"]],
      ["answers wrongly", garbled, ["dropped.error"], ["drop_error"], dropped],
      ["refuses for good", "", ["dropped.unauthorized"], ["drop_unauthorized"], dropped],
    ]),
    ...rows("Kafka", "service publisher", "npm run test:kafka", queue, [
      [
        "refuses for good",
        "the right to write is taken away",
        ["dropped.unauthorized"],
        ["drop_unauthorized"],
        dropped,
      ],
      ["refuses for good", "its user is deleted", ["queued"], ["kafka_login"]],
    ]),
    ...rows("Kafka", "durable publisher", "npm test", stored, [
      ["is absent", "", ["spool.stored"], ["kafka_down"]],
      ["refuses", cut, ["spool.stored"], ["kafka_down"]],
      ["hangs", "", ["spool.stored"], ["kafka_client_reqtmout"]],
      ["answers wrongly", junk, ["spool.stored"], ["kafka_down"]],
      ["answers wrongly", garbled, ["spool.stored"], ["drop_error"]],
      ["refuses for good", "", ["spool.stored"], ["drop_unauthorized"]],
    ]),
    ...rows("Kafka", "consumer", "npm test", wait, [
      ["is absent", "", [], ["kafka_down"]],
      ["refuses", cut, [], ["kafka_down"]],
      ["hangs", "", [], ["kafka_client_reqtmout"]],
      ["answers wrongly", junk, [], ["kafka_down"]],
      ["answers wrongly", garbled, [], ["offset_not_committed"]],
    ]),
    ...rows("Kafka", "consumer", "npm run test:kafka", wait, [
      ["refuses for good", "its rights are taken away", ["problems: read_blocked"], ["consume_topic_unauthorized"]],
      ["refuses for good", "its user is deleted", [], ["kafka_login"]],
    ]),
    ...rows("Kafka", "history worker", "npm test", wait, [
      ["is absent", "at the start", ["problems: not_joined"], ["kafka_down"], early],
      ["is absent", "later", [], ["kafka_down"]],
      ["refuses", cut, [], ["kafka_down"]],
      ["hangs", "", [], ["kafka_client_reqtmout"]],
      ["answers wrongly", junk, [], ["kafka_down"]],
      ["answers wrongly", garbled, [], ["offset_not_committed"]],
    ]),
    ...rows(
      "Kafka",
      "history worker",
      "npm run test:kafka",
      { ...wait, meanwhile: "it is not ready, and waits; after 10 minutes it ends with exit code 1 and the reason" },
      [
        ["refuses for good", "its rights are taken away", ["problems: read_blocked"], ["consume_topic_unauthorized"]],
        ["refuses for good", "its user is deleted", [], ["kafka_login"]],
      ],
    ),
  ];
}

function ofDeadLetters(): readonly Cell[] {
  const aside = {
    meanwhile: "the partition waits, and tries again",
    back: "the record is set aside, and the partition goes on",
  };
  const passed = {
    meanwhile: "the record is passed over, and the log says where it stands",
    back: "there is nothing to make up for",
  };
  const stuck = [["problems: standstill"], ["set_aside_stuck"]] as const;
  const blocked = [["problems: set_aside_blocked"], ["set_aside_blocked"]] as const;
  return (["consumer", "history worker"] as const).flatMap((component) => [
    ...rows("dead-letter topic", component, "npm test", aside, [
      ["is absent", "", ...stuck],
      ["refuses", cut, ...stuck],
      ["hangs", "", ...stuck],
      ["answers wrongly", garbled, ["problems: standstill"], ["set_aside_failed"]],
      ["refuses for good", "no right to write", ...blocked],
      [
        "refuses for good",
        "it takes no record, however small",
        [component === "consumer" ? "lost" : "consumer.lost"],
        ["record_lost"],
        passed,
      ],
    ]),
    ...rows("dead-letter topic", component, "npm run test:kafka", aside, [
      ["refuses for good", "the right to write is taken away", ...blocked],
    ]),
  ]);
}

function ofPostgres(): readonly Cell[] {
  const suite = "npm run test:postgres";
  const batch = { meanwhile: "partitions wait, and each batch is tried again", back: "all is recorded" };
  const until10 = {
    meanwhile: `${batch.meanwhile}; after 10 minutes it ends with exit code 1 and the reason`,
    back: "all is recorded",
  };
  const restart = { meanwhile: "it ends with exit code 1 and the reason", back: "it begins when it is started again" };
  const oneAside = {
    meanwhile: "the event is set aside, and all others are recorded",
    back: "`set-aside retry` records it",
  };
  const leftOut = {
    meanwhile: "the event goes to the dead-letter topic, or is left out with a log line that says where it stands",
    back: "there is nothing to make up for",
  };
  const rejected = {
    meanwhile: "its methods reject, and nothing is half recorded",
    back: "what is tried again is recorded",
  };
  const away = [["problems: database_away"], ["database_down"]] as const;
  const refuses = [
    ["problems: database_refuses", "problems: handler_blocked"],
    ["database_refuses", "handler_blocked"],
  ] as const;
  return [
    ...rows("PostgreSQL", "signal history", suite, rejected, [
      ["is absent", "the server is stopped", ["failure: passing"], []],
      ["refuses", cut, ["failure: passing"], []],
      ["hangs", "the server stands still", ["failure: passing"], []],
      ["answers wrongly", garbled, ["failure: passing"], []],
      ["refuses for good", "a right is taken away", ["failure: permanent"], []],
      ["refuses for good", "its login is taken away", ["failure: permanent"], []],
      ["refuses for good", "a column is missing", ["failure: permanent"], []],
      ["refuses for good", "one event", ["failure: poison"], []],
    ]),
    ...rows("PostgreSQL", "history worker", suite, batch, [
      ["is absent", "the server is stopped", ...away],
      ["refuses", cut, ...away],
      ["hangs", "the server stands still", ["problems: database_stuck"], ["database_stuck"]],
      ["answers wrongly", garbled, ...away],
      ["refuses for good", "no login at the start", ["problems: stopping"], ["database_refuses"], restart],
      ["refuses for good", "a right is taken away", ...refuses, until10],
      ["refuses for good", "its login is taken away", ...refuses, until10],
      ["refuses for good", "a column is missing", ...refuses, until10],
      ["refuses for good", "one event", ["history.setAside"], ["event_set_aside"], oneAside],
      [
        "refuses for good",
        "one event, and `set_aside` is full",
        ["history.setAsideFull", "consumer.invalid.poison"],
        ["set_aside_full", "record_left_out"],
        leftOut,
      ],
    ]),
  ];
}

function ofJwks(): readonly Cell[] {
  const keys = { meanwhile: "the last good keys hold", back: "the next fetch renews them" };
  const logged = ["jwks_not_fetched"];
  return rows("JWKS", "verifier", "npm test", keys, [
    ["is absent", "", ["refreshFailed", "refreshProblem: refused"], logged],
    [
      "is absent",
      "for longer than `maxStaleMs`",
      ["stale", "verdict: key_stale"],
      ["jwks_stale"],
      { meanwhile: "calls run, and no mark by its keys holds", back: "the next fetch renews them, and marks hold" },
    ],
    ["refuses", "connections are reset", ["refreshFailed", "refreshProblem: cut_off"], logged],
    ["hangs", "", ["refreshFailed", "refreshProblem: timed_out"], logged],
    ["answers wrongly", "", ["refreshFailed", "refreshProblem: not_json"], logged],
    ["refuses for good", "", ["refreshFailed", "refreshProblem: wrong_status"], logged],
  ]);
}

function ofTokens(): readonly Cell[] {
  const suite = "npm run test:kafka";
  const asked = "it is asked again with back-off";
  const publisher = { meanwhile: `${asked}; calls run, and events wait`, back: "all are delivered" };
  const consumer = { meanwhile: asked, back: "it joins, and reads" };
  const worker = { meanwhile: `${asked}; it is not ready`, back: "it joins, and reads" };
  const no = ["kafka_oauth_token"];
  const by = (
    component: Component,
    end: End,
    counted: readonly string[],
    refused: readonly string[],
  ): readonly Cell[] =>
    rows("token provider", component, suite, end, [
      ["refuses", "it throws", counted, no],
      ["hangs", "", counted, no],
      ["answers wrongly", "it gives no token", counted, no],
      ["answers wrongly", "the broker does not accept its token", refused, ["kafka_login"]],
    ]);
  return [
    ...by("service publisher", publisher, ["queued"], ["queued"]),
    ...by("consumer", consumer, ["joined: false"], ["problems: read_blocked"]),
    ...by("history worker", worker, ["problems: not_joined"], ["problems: read_blocked"]),
  ];
}

function ofDisks(): readonly Cell[] {
  const memory = {
    meanwhile: "calls run, and events go to Kafka from memory",
    back: "they go into the spool again",
  };
  const restart = { meanwhile: "it ends with exit code 1 and the reason", back: "it begins when it is started again" };
  return [
    ...rows("disk", "durable publisher", "npm test", memory, [
      ["is absent", "a file is where the folder should be", ["spool.unrecorded.error"], ["spool_failed"]],
      ["refuses", "", ["spool.unrecorded.error"], ["spool_failed"]],
      ["hangs", "", ["spool.unrecorded.slow"], ["spool_slow"]],
      [
        "answers wrongly",
        "bytes have changed",
        ["spool.setAside.damaged"],
        ["spool_set_aside"],
        { meanwhile: "the event is set aside, and all others are delivered", back: "there is nothing to make up for" },
      ],
      ["refuses for good", "`maxBytes` are taken", ["spool.unrecorded.full"], ["spool_full"]],
    ]),
    ...rows("disk", "history worker", "npm test", restart, [
      ["is absent", "a file is where the folder should be", ["problems: stopping"], ["database_refuses"]],
    ]),
    ...rows("disk", "history worker", "npm run test:postgres", restart, [
      [
        "refuses",
        "it is full at the start",
        ["problems: stopping"],
        ["database_refuses"],
        { ...restart, back: "it begins when the half-made folder is removed, and it is started again" },
      ],
      [
        "answers wrongly",
        "the folder is damaged",
        ["problems: stopping"],
        ["database_refuses"],
        { ...restart, back: "it begins when a good copy is put back, and it is started again" },
      ],
      ["refuses for good", "it is read only", ["problems: stopping"], ["database_refuses"]],
    ]),
  ];
}

/** The name under which a cell is run. */
export function nameOf({ failure, how, component }: Cell): string {
  return `${failure}${how === "" ? "" : ` (${how})`}: ${component}`;
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

/** A cell, as the documents show it. */
export function rowOf({ dependency, failure, how, component, counted, logged, meanwhile, back, suite }: Cell): string {
  const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
  const said = how === "" ? failure : `${failure}: ${how}`;
  return line([dependency, said, component, code(counted), code(logged), meanwhile, back, `\`${suite}\``]);
}

const line = (columns: readonly string[]): string => `| ${columns.join(" | ")} |`.replaceAll("|  |", "| |");

/** The matrix, as the documents show it. */
export function matrixTable(): string {
  const head = [
    "What fails",
    "How",
    "Where",
    "What is counted",
    "What is logged",
    "Meanwhile",
    "When it is back",
    "Seen by",
  ];
  return table(head, cells.map(rowOf));
}

/** What is not in the matrix, as the documents show it. */
export function excludedTable(): string {
  const what = (names: readonly string[]): string =>
    names.length === failures.length ? "any failure" : names.join(", ");
  return table(
    ["What fails", "How", "Where", "Why it cannot be"],
    excluded.map((one) => line([one.dependency, what(one.failures), one.components.join(", "), one.reason])),
  );
}

function table(head: readonly string[], body: readonly string[]): string {
  return [line(head), line(head.map(() => "---")), ...body].join("\n");
}
