import type { SessionActivityEvent, SessionActivityRun } from "connect-session-activity";
import { createRunChecker } from "connect-session-activity/trail";

/** Checks what was read from both topics, up to ten minutes ago. */
export function check(records: Iterable<SessionActivityEvent | SessionActivityRun>): string {
  const checker = createRunChecker({ to: new Date(Date.now() - 600_000) });
  for (const record of records) checker.add(record);
  const { verdict, runs } = checker.report();
  for (const { instanceId, condition, missing } of runs) console.log(instanceId, condition, missing.ranges);
  return verdict.kind;
}
