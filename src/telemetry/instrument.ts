/** What tells the series of an instrument apart. No value comes from a call, a caller or a session. */
export type MetricAttributes = Readonly<Record<string, string | number | boolean>>;

/** A value at one moment. */
export interface Point {
  readonly value: number;
  readonly attributes?: MetricAttributes;
}

/** Counts by what they are of. */
export type Counts = Readonly<Partial<Record<string, number>>>;

/**
 * How a value behaves over time.
 *
 * - `counter`: it only grows
 * - `updown_counter`: it grows and shrinks, and those of several processes can be added
 * - `gauge`: it changes, and a sum of several means nothing
 */
export type InstrumentKind = "counter" | "updown_counter" | "gauge";

/** What an instrument is called, and what its values mean. */
export interface InstrumentDescription {
  /** By OpenTelemetry's conventions: what is counted comes before what became of it. */
  readonly name: string;
  /** By UCUM. What is counted stands in braces. */
  readonly unit: string;
  /** One sentence, which stands in the documents, too. */
  readonly description: string;
  /** The names of its attributes. */
  readonly attributes: readonly string[];
}

/** An instrument that is read when somebody asks, so that it costs nothing in between. */
export interface Instrument<Stats> extends InstrumentDescription {
  readonly kind: InstrumentKind;
  /** Its values at the moment of these counts. None if they do not have it. */
  read(stats: Stats): readonly Point[];
}

type Described = Pick<InstrumentDescription, "name" | "unit" | "description">;

/** An instrument with one value. Undefined means that it has none now. */
export function single<Stats>(
  kind: InstrumentKind,
  described: Described,
  read: (stats: Stats) => number | undefined,
): Instrument<Stats> {
  return {
    ...described,
    kind,
    attributes: [],
    read(stats) {
      const value = read(stats);
      return value === undefined ? [] : [{ value }];
    },
  };
}

/**
 * A counter by reason. All reasons are there from the beginning: a series that begins with its first event would show no
 * increase, and no alert.
 */
export function byReason<Stats>(
  described: Described,
  zeros: Counts,
  read: (stats: Stats) => Counts | undefined,
): Instrument<Stats> {
  return {
    ...described,
    kind: "counter",
    attributes: [reasonAttribute],
    read(stats) {
      const counts = read(stats);
      return counts === undefined ? [] : pointsBy(reasonAttribute, { ...zeros, ...counts });
    },
  };
}

/** What became of something, or why: one of a few words that stand in the documents. */
export const reasonAttribute = "session_activity.reason";

/** A point for each count. */
export function pointsBy(attribute: string, counts: Counts): Point[] {
  return Object.entries(counts).map(([name, value = 0]) => ({ value, attributes: { [attribute]: name } }));
}

/** One of a few words that stand in the documents. */
const problemAttribute = "session_activity.problem";

/**
 * What holds something up now: 1 for each problem that it has, and 0 for each other one, since an SDK goes on exporting what it
 * saw last.
 */
export function problemsNow<Stats>(
  described: Described,
  zeros: Counts,
  read: (stats: Stats) => readonly string[],
): Instrument<Stats> {
  return {
    ...described,
    kind: "updown_counter",
    attributes: [problemAttribute],
    read: (stats) =>
      pointsBy(problemAttribute, { ...zeros, ...Object.fromEntries(read(stats).map((problem) => [problem, 1])) }),
  };
}

/** Milliseconds in seconds, as metrics have them. */
export function seconds(ms: number): number {
  return ms / 1_000;
}
