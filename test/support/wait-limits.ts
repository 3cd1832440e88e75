import { vi } from "vitest";

/** Makes calls wait 20 ms instead of 5 s for what signs or verifies, until mocks are restored. */
export function shortenPatience(): void {
  const wait = globalThis.setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation((work, ms) => wait(work, ms === 5_000 ? 20 : ms));
}
