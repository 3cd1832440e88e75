import type { JSX } from "preact";
import type { Doubts } from "../messages.js";
import { Text } from "./shown-text.js";

/** Whether a service had verified the session context, in words. */
export function Verified({ verified, problem }: Pick<Doubts, "verified" | "problem">): JSX.Element {
  if (verified) return <span class="mark good">verified</span>;
  return (
    <span class="mark bad">
      not verified
      {problem === "" ? "" : ": "}
      <Text value={problem} />
    </span>
  );
}

/** What else casts doubt on an activity. */
export function Marks({
  replayed,
  inferred,
  late,
}: Pick<Doubts, "replayed" | "inferred"> & { late?: string | undefined }) {
  return (
    <>
      {replayed && <span class="mark bad">replayed signature</span>}
      {inferred && <span class="mark doubt">inferred status</span>}
      {late !== undefined && (
        <span class="mark doubt">
          came late: <Text value={late} />
        </span>
      )}
    </>
  );
}

/** How a call ended. */
export function Status({ status }: { status: string }): JSX.Element {
  if (status === "") return <span class="status failed">interrupted</span>;
  return <Text value={status} kind={status === "OK" ? "status" : "status failed"} />;
}
