import type { ContextKey } from "@connectrpc/connect";

/**
 * Creates a context key that is the same in all copies of this package. A process may hold several: one for ESM and one that a
 * bundler made, or one more below a dependency. What one copy sets, a handler finds by the key of another.
 *
 * Other versions of this package read the value: what it holds may grow, and must not change.
 */
export function createSharedKey<T>(name: string, defaultValue: T): ContextKey<T> {
  return { id: Symbol.for(`connect-session-activity: ${name}`), defaultValue };
}
