/**
 * The locks of a history, by PostgreSQL's advisory locks. Who records holds the history's lock with others; who compacts or
 * forgets holds it alone. Sessions are locked beside it, one writer at a time.
 */
export function historyLock(schema: string): string {
  return `hashtextextended('${schema}', 0)`;
}

/** The lock of one session. */
export function sessionLock(schema: string, sessionId: string): string {
  return `hashtextextended(${sessionId}, hashtextextended('${schema}', 1))`;
}
