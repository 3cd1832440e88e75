/** Numbers that follow each other, both ends included. Exact up to 2^53. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** How many numbers there are in ranges. */
export function countOf(ranges: readonly NumberRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** What is in both. Both are sorted, and so is the answer. */
export function intersect(some: readonly NumberRange[], others: readonly NumberRange[]): NumberRange[] {
  const both: NumberRange[] = [];
  let index = 0;
  for (const { first, last } of some) {
    while ((others[index]?.last ?? Number.POSITIVE_INFINITY) < first) index += 1;
    for (let next = index; ; next += 1) {
      const other = others[next];
      if (other === undefined || other.first > last) break;
      both.push({ first: Math.max(first, other.first), last: Math.min(last, other.last) });
    }
  }
  return both;
}

/** What is in the first and not in the second. Both are sorted, and so is the answer. */
export function subtract(some: readonly NumberRange[], others: readonly NumberRange[]): NumberRange[] {
  const rest: NumberRange[] = [];
  let index = 0;
  for (const { first, last } of some) {
    let next = first;
    while ((others[index]?.last ?? Number.POSITIVE_INFINITY) < first) index += 1;
    for (let at = index; next <= last; at += 1) {
      const other = others[at];
      if (other === undefined || other.first > last) {
        rest.push({ first: next, last });
        break;
      }
      if (other.first > next) rest.push({ first: next, last: other.first - 1 });
      next = other.last + 1;
    }
  }
  return rest;
}
