/** A median, and the bounds that the true median stands between. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function median(values: readonly number[]): number {
  const sorted = sort(values);
  const middle = sorted.length / 2;
  return (at(sorted, Math.ceil(middle) - 1) + at(sorted, Math.floor(middle))) / 2;
}

/**
 * The median with its 95 % confidence interval, which supposes nothing of how the values are distributed: how many of them fall
 * below the true median is binomial. Fewer than six values cannot give so much, and their bounds are the lowest and the highest.
 */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = sort(values);
  const rank = ciRank(sorted.length);
  return { median: median(sorted), low: at(sorted, rank), high: at(sorted, sorted.length - 1 - rank) };
}

/** What each value is of the one measured beside it. */
export function ratios(values: readonly number[], baseline: readonly number[]): number[] {
  if (values.length !== baseline.length) throw new Error(`${values.length} values against ${baseline.length}`);
  return values.map((value, round) => value / at(baseline, round));
}

/** How many values to leave out at each end, so that the bounds hold in 95 of 100 cases. */
function ciRank(count: number): number {
  let outside = 2 * 0.5 ** count;
  let term = outside;
  let rank = 0;
  while (rank < count / 2) {
    term *= (count - rank) / (rank + 1);
    outside += term;
    if (outside > 0.05) break;
    rank += 1;
  }
  return rank;
}

function sort(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? Number.NaN;
}
