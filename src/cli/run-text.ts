import { fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { printable } from "../base/text.js";
import { section } from "./report-section.js";
import type { Terminal } from "./terminal.js";
import { isValidTime, momentText } from "./time-text.js";

type Paint = Terminal["paint"];

const states: ReadonlySet<string> = new Set(["STARTED", "RUNNING", "ENDED", "RECOVERED"]);

/** The run record that bytes are. Undefined if they are none: its state and its times tell it from other messages. */
export function decodeRun(bytes: Uint8Array | undefined): SessionActivityRun | undefined {
  if (bytes === undefined) return undefined;
  try {
    const run = fromBinary(SessionActivityRunSchema, bytes);
    return states.has(run.state) && isValidTime(run.startedAt) && isValidTime(run.at) ? run : undefined;
  } catch {
    return undefined;
  }
}

/** A run record in protobuf's JSON. */
export function jsonOfRun(run: SessionActivityRun): { readonly run: JsonObject } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { run: toJson(SessionActivityRunSchema, run) as JsonObject };
}

/** A run record on one line. */
export function lineOfRun(run: SessionActivityRun, paint: Paint): string {
  const { state, service, instanceId, lastSequence, losses } = run;
  const lost = losses.length === 0 ? [] : [paint("bad", `lost=${losses.length}`)];
  const parts = [
    printable(service),
    `last=${lastSequence}`,
    ...lost,
    paint("faint", `instance=${printable(instanceId)}`),
  ];
  return [paint("faint", momentText(run.at) ?? ""), paint("strong", `run ${state}`), ...parts].join(" ");
}

/** All that a run record says, in sections. Nothing in it is about a person. */
export function reportOfRun(run: SessionActivityRun, paint: Paint): string {
  const { counts } = run;
  const rows = [
    ["state", run.state],
    ["service", run.service],
    ["started", momentText(run.startedAt)],
    ["written", momentText(run.at)],
    ["last sequence", String(run.lastSequence)],
    ["declared lost", run.losses.map(({ sequence, reason }) => `${sequence} (${reason})`).join(", ")],
    ["delivered", counts && String(counts.delivered)],
    ["dropped", countsText(counts?.dropped)],
    ["skipped", countsText(counts?.skipped)],
    ["unverified", countsText(counts?.unverified)],
  ] as const;
  return section(`Run ${run.instanceId}`, rows, paint);
}

function countsText(counts: Readonly<Record<string, bigint>> = {}): string {
  return Object.entries(counts)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(", ");
}
