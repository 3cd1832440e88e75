import type { OptionError } from "../../src/base/option-error.js";

/** The error that a function throws, or rejects with, for its options. Fails if it does neither, or it is another error. */
export function refusalOf(work: () => unknown): OptionError {
  try {
    work();
  } catch (error) {
    return asOptionError(error);
  }
  throw new Error("expected an error, and there was none");
}

/** The same for a promise. */
export async function rejectionOf(work: Promise<unknown>): Promise<OptionError> {
  return work.then(
    () => {
      throw new Error("expected a rejection, and there was none");
    },
    (error: unknown) => asOptionError(error),
  );
}

function asOptionError(error: unknown): OptionError {
  if (error instanceof TypeError && "code" in error && "option" in error) return error as OptionError;
  throw error;
}
