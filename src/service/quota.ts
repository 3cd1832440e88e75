/** Allows so many of something in a minute. */
export interface Quota {
  /** Takes one. False where none is left. */
  take(): boolean;
}

/** Creates a quota. It fills up evenly, to that of one minute. */
export function createQuota(perMinute: number): Quota {
  const perMs = perMinute / 60_000;
  let left = perMinute;
  let filledAt = performance.now();
  return {
    take() {
      const now = performance.now();
      left = Math.min(perMinute, left + (now - filledAt) * perMs);
      filledAt = now;
      if (left < 1) return false;
      left -= 1;
      return true;
    },
  };
}
