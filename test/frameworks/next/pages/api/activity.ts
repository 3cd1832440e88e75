import type { NextApiRequest, NextApiResponse } from "next";
import { interceptor, publisher, seen, tracking } from "../../tracking";

/** What the app recorded, for the test. */
export interface Activity {
  readonly events: ReadonlyArray<{ readonly action: string; readonly status: string; readonly handlerStatus: string }>;
  readonly bypassed: number;
  /** The session headers that handlers saw. */
  readonly seen: readonly string[];
  /** How many calls were tracked where it is wired as the documents show. */
  readonly wired: number;
}

export default function activity(_: NextApiRequest, response: NextApiResponse<Activity>): void {
  response.json({
    events: publisher.events.map(({ action, status, handlerStatus }) => ({ action, status, handlerStatus })),
    bypassed: interceptor.stats().bypassed,
    seen: [...seen],
    wired: tracking.stats().interceptor.tracked,
  });
}
