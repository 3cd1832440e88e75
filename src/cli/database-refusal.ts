import { errorCode } from "../base/errors.js";
import { reasonOf } from "../history/database-failure.js";

/** What to do about a refusal, by the first characters of PostgreSQL's code. The first line that fits counts. */
const advices: readonly (readonly [RegExp, string])[] = [
  [/^28/, "check user and password in the database's address, and the server's pg_hba.conf"],
  [/^3D/, "create the database, or mend its name in the address"],
  [/^42501/, "grant the worker's user its rights on the history's schema and tables"],
  [/^(3F|42)/, "the history's schema is missing or older than this worker: let a user start it once who may create it"],
  [/^0A/, "PostgreSQL is older than this package supports"],
  [/^08P01/, "the pooler in between refuses a setting of the connection: mend the pooler's settings"],
];

/** PGlite says the same of a folder that is damaged, and of one whose making a full disk cut short. */
const damagedFolder = /^PGlite failed to initialize/;

/** What a database says that refuses until somebody acts, and what to do about it. Nothing of an event is in it. */
export function describeRefusal(error: unknown): string {
  const { code = "", reason = "it does not say why" } = reasonOf(error);
  const advice = damagedFolder.test(reason)
    ? "the database's folder is damaged: put back a copy of it, or remove it and read the topic again"
    : advices.find(([codes]) => codes.test(errorCode(error) ?? ""))?.[1];
  return `${[code, reason].join(" ").trim()}${advice === undefined ? "" : `: ${advice}`}`;
}
