import { ratios, type Spread, spreadOf } from "./statistics.js";

/** What one measurement gave, by the names of its figures. */
export type Sample = Readonly<Record<string, number>>;

/** One of the things that are compared. */
export interface Variant {
  readonly name: string;
  /** Does one turn of it. */
  measure(): Promise<Sample>;
}

/** How one knows whether to believe what was measured. */
export interface Checks {
  /** The figure that the checks are made with. */
  readonly figure: string;
  /** Two variants that are the same thing, and so must agree. */
  readonly twins: readonly [string, string];
  /** A variant that is known to cost so many times what another does, and so must be found out. */
  readonly control?: { readonly name: string; readonly against: string; readonly factor: number } | undefined;
  /** How far away the bounds may be. More than {@link maxDoubt} will do where what is compared differs by multiples. */
  readonly doubt?: number | undefined;
}

/** All samples by variant: one of each in every round. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

/** Whether a comparison can be believed. */
export interface Trust {
  readonly isTrusted: boolean;
  /** How far the twins, and the control, were from where they must be. */
  readonly reason: string;
}

/** The same, of checks that were measured. */
export interface CheckedTrust extends Trust {
  /** How far the bounds of the checks are from their medians, at most: it says nothing of where the medians are. */
  readonly precision: number;
}

/** How far twins may be apart, and a control from what it is known to cost. */
export const tolerance = 0.02;
/** How far away the bounds of that may be: where they are farther apart, twins that agree do so by chance. */
export const maxDoubt = 0.05;

/** What is measured, and how often. */
export interface Plan {
  readonly variants: readonly Variant[];
  readonly rounds: number;
  readonly clearing?: Clearing | undefined;
}

/** How to begin anew from time to time. */
export interface Clearing {
  /** After it, each variant has a turn to warm up, which does not count. */
  readonly clear: () => Promise<unknown>;
  /** It comes before every so many rounds. */
  readonly everyRounds: number;
}

/** Measures all variants in each round, after a round that does not count. */
export async function interleave({ variants, rounds, clearing }: Plan, afterRound: () => void): Promise<Samples> {
  const samples = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    if (clearing !== undefined && round >= 0 && round % clearing.everyRounds === 0) {
      await clearing.clear();
      for (const variant of variants) await variant.measure();
    }
    for (const variant of inTurn(variants, round + 1)) {
      const sample = await variant.measure();
      if (round >= 0) samples.get(variant.name)?.push(sample);
    }
    afterRound();
  }
  return samples;
}

/** Another one begins each turn, and every other turn runs backwards, so that a drifting machine favours nobody. */
export function inTurn<T>(variants: readonly T[], round: number): readonly T[] {
  const first = Math.floor(round / 2) % variants.length;
  const order = [...variants.slice(first), ...variants.slice(0, first)];
  return round % 2 === 0 ? order : order.toReversed();
}

/** Puts rounds that were measured apart together. */
export function joinSamples(parts: readonly Samples[]): Samples {
  const joined = new Map<string, Sample[]>();
  for (const part of parts) {
    for (const [name, samples] of part) joined.set(name, [...(joined.get(name) ?? []), ...samples]);
  }
  return joined;
}

/** One figure of a variant, over the rounds. */
export function spreadOfFigure(samples: Samples, name: string, figure: string): Spread {
  return spreadOf(valuesOf(samples, name, figure));
}

/** What a variant's figure is of another's, over the rounds. */
export function ratioOf(samples: Samples, name: string, against: string, figure: string): Spread {
  return spreadOf(ratios(valuesOf(samples, name, figure), valuesOf(samples, against, figure)));
}

/** How much more a variant's figure is than another's, over the rounds. */
export function differenceOf(samples: Samples, name: string, without: string, figure: string): Spread {
  const less = valuesOf(samples, without, figure);
  return spreadOf(valuesOf(samples, name, figure).map((value, round) => value - (less[round] ?? Number.NaN)));
}

/** Whether twins agree, and a control is found out. */
export function judge(samples: Samples, { figure, twins, control, doubt = maxDoubt }: Checks): CheckedTrust {
  const checks = [{ what: "the A/A pair", spread: ratioOf(samples, twins[1], twins[0], figure), factor: 1 }];
  if (control !== undefined) {
    const spread = ratioOf(samples, control.name, control.against, figure);
    checks.push({ what: `the control of ${format(control.factor, 3)}`, spread, factor: control.factor });
  }
  return {
    isTrusted: checks.every(({ spread, factor }) => isClose(spread, factor, doubt)),
    reason: [
      ...checks.map(({ what, spread }) => `${what} is at ${formatSpread(spread, 3)}`),
      ...(doubt > maxDoubt ? [`so what is less than ${format(doubt * 100, 0)} % apart may be equal`] : []),
    ].join(", "),
    precision: Math.max(...checks.map(({ spread: { median, low, high } }) => Math.max(high - median, median - low))),
  };
}

function isClose({ median, low, high }: Spread, factor: number, doubt: number): boolean {
  const isCertain = Math.max(high - factor, factor - low) <= doubt;
  return isCertain && Math.abs(median - factor) <= tolerance;
}

export function formatSpread({ median, low, high }: Spread, digits: number): string {
  return `${format(median, digits)} (${format(low, digits)} to ${format(high, digits)})`;
}

/** A number, with commas between its thousands. */
export function format(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function valuesOf(samples: Samples, name: string, figure: string): number[] {
  const own = samples.get(name);
  if (own === undefined) throw new Error(`${name} was not measured`);
  return own.map((sample) => sample[figure] ?? Number.NaN);
}
