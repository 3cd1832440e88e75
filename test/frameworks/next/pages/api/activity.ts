import type { NextApiRequest, NextApiResponse } from "next";
import { interceptor, publisher, seen } from "../../tracking";

/** What the app recorded, for the test. */
export interface Activity {
  readonly events: ReadonlyArray<{ readonly action: string; readonly status: string; readonly handlerStatus: string }>;
  readonly bypassed: number;
  /** The session headers that handlers saw. */
  readonly seen: readonly string[];
}

export default function activity(_: NextApiRequest, response: NextApiResponse<Activity>): void {
  const events = publisher.events.map(({ action, status, handlerStatus }) => ({ action, status, handlerStatus }));
  response.json({ events, bypassed: interceptor.stats().bypassed, seen: [...seen] });
}
