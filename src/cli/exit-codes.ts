/** What the program ends with. The documents and every help show this table. */
export const exitCodes = {
  done: 0,
  failed: 1,
  wrongArguments: 2,
  negative: 3,
  unknown: 4,
  interrupted: 130,
  terminated: 143,
} as const;

/** A name of an exit code. */
export type Ending = keyof typeof exitCodes;

/** What each of them means, for every command that says nothing else. */
export const endingMeanings: Readonly<Record<Ending, string>> = {
  done: "it did what was asked",
  failed: "it could not start or go on; the last line on stderr says why",
  wrongArguments: "wrong arguments, or wrong environment variables",
  negative: "it did what was asked, and the answer is no",
  unknown: "it did what was asked, and nobody can tell the answer",
  interrupted: "it was told to end by SIGINT (Ctrl-C) before it was done",
  terminated: "it was told to end by SIGTERM before it was done",
};
