import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { CompletenessDetails, RunStatus } from "../messages.js";
import { askServer } from "./ask-server.js";
import { sentenceOf } from "./completeness-bar.js";
import { ExportButtons, type ExportRow } from "./export.js";
import { ScrollTable } from "./scroll-table.js";
import { Text } from "./shown-text.js";
import { Time } from "./times.js";

/** Which runs there are, and what is missing of them. */
export function CompletenessView(): JSX.Element {
  const [details, setDetails] = useState<CompletenessDetails>();
  const [problem, setProblem] = useState("");
  const load = (): void =>
    void askServer<CompletenessDetails>("completeness", new URLSearchParams(), false).then(
      setDetails,
      (error: unknown) => setProblem(String(error)),
    );
  useEffect(load, []);
  return (
    <>
      <p role="alert">{problem}</p>
      {details !== undefined && (
        <>
          <p>{sentenceOf(details)}</p>
          <p>
            A run is one process of a service, from its start to its end. It numbers its events, and says in run records
            how far it is. A hole is a number that did not arrive within 30 seconds, and that no run record declares as
            lost. A run is dead if it has written no run record for five minutes, and no end: what it had not sent yet
            is not known. A run without run records, such as that of this console, is known by its events only.
          </p>
          <div class="tools">
            <button type="button" onClick={load}>
              Refresh
            </button>
            <ExportButtons view="completeness" rows={() => details.runs.map(rowOf)} onProblem={setProblem} />
          </div>
          <Runs details={details} />
        </>
      )}
    </>
  );
}

const runColumns = [
  "Service",
  "Run",
  "State",
  "Started",
  "Last run record",
  "Last event number",
  "Declared losses",
  "Holes",
];

function Runs({ details: { runs, left } }: { details: CompletenessDetails }): JSX.Element {
  if (runs.length === 0) return <p>No event and no run record has arrived since this console was started.</p>;
  return (
    <>
      <ScrollTable label="Runs" columns={runColumns}>
        {runs.map((run) => (
          <RunRow key={run.instanceId} run={run} />
        ))}
      </ScrollTable>
      {left > 0 && <p>{left} more runs are not shown.</p>}
    </>
  );
}

const stateTexts: Readonly<Record<RunStatus["state"], string>> = {
  open: "open",
  closed: "closed",
  dead: "dead",
  unknown: "without run records",
};

function RunRow({ run }: { run: RunStatus }): JSX.Element {
  return (
    <tr>
      <td>
        <Text value={run.service} />
      </td>
      <td>
        <Text value={run.instanceId} />
      </td>
      <td class={run.state === "dead" ? "bad" : ""}>{stateTexts[run.state]}</td>
      <td>{run.startedAt === undefined ? "not known" : <Time ms={run.startedAt} />}</td>
      <td>{run.at === undefined ? "none" : <Time ms={run.at} />}</td>
      <td>{run.lastSequence}</td>
      <td>
        <Text value={lossesOf(run)} />
      </td>
      <td class={run.holes === "0" ? "" : "bad"}>{run.holes}</td>
    </tr>
  );
}

function lossesOf({ declared, undeclared }: RunStatus): string {
  const named = Object.entries(declared).map(([reason, count]) => `${count} ${reason}`);
  const all = undeclared > 0 ? [...named, `${undeclared} without a record`] : named;
  return all.length === 0 ? "none" : all.join(", ");
}

function rowOf(run: RunStatus): ExportRow {
  const { declared: _, ...row } = run;
  return { ...row, declared: lossesOf(run) };
}
