/**
 * What a failure calls for. One place decides for each source of failures, and whoever tries again asks only this.
 *
 * - `passing`: it heals by itself. Try again with back-off, without limit.
 * - `permanent`: it fails for everything until somebody acts, as a wrong password does.
 * - `poison`: only this input fails, and always will. Set it aside, and go on with the rest.
 */
export type FailureClass = "passing" | "permanent" | "poison";

const classes: readonly FailureClass[] = ["passing", "permanent", "poison"];

/**
 * Notes on an error what it calls for. Returns the error.
 *
 * @example
 * throw withFailure(new Error("there is no such account"), "poison");
 */
export function withFailure<E extends Error>(error: E, failure: FailureClass): E & { failure: FailureClass } {
  return Object.assign(error, { failure });
}

/** What an error says that it calls for. Undefined if it says nothing. Users throw errors of any make: this never throws. */
export function failureOf(error: unknown): FailureClass | undefined {
  try {
    const failure: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "failure") : undefined;
    return classes.find((one) => one === failure);
  } catch {
    return undefined;
  }
}
