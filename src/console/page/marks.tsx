import type { JSX } from "preact";
import type { Doubts } from "../messages.js";
import { Text } from "./shown-text.js";

/** What `context_problem` says, in words. */
const problems: Readonly<Record<string, string>> = {
  missing: "no mark, though one is required",
  too_large: "session context too large",
  signature_missing: "no signature",
  signature_invalid: "wrong signature",
  signature_expired: "old signature",
  key_unknown: "unknown key",
  key_stale: "keys could not be fetched",
};

/** Whether a service had verified the session context, in words. */
export function Verified({ verified, problem }: Pick<Doubts, "verified" | "problem">): JSX.Element {
  if (verified) return <span class="mark good">verified</span>;
  return (
    <span class="mark bad">
      not verified
      {problem !== "" && <Problem problem={problem} />}
    </span>
  );
}

/** In words that everybody knows, and in the one that the documents explain. */
function Problem({ problem }: { problem: string }): JSX.Element {
  if (!Object.hasOwn(problems, problem)) {
    return (
      <>
        : <Text value={problem} />
      </>
    );
  }
  return (
    <>
      : {problems[problem]} ({problem})
    </>
  );
}

/** What else is in doubt about an activity. */
export function InDoubt({ replayed, inferred }: Pick<Doubts, "replayed" | "inferred">): JSX.Element {
  return (
    <>
      {replayed && <span class="mark bad">replayed signature</span>}
      {inferred && <span class="mark doubt">inferred status</span>}
    </>
  );
}

/** How a call ended. */
export function Status({ status }: { status: string }): JSX.Element {
  if (status === "") return <span class="status failed">interrupted</span>;
  return <Text value={status} kind={status === "OK" ? "status" : "status failed"} />;
}
