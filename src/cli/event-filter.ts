import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { flag, type Option, type OptionsOf } from "../base/options.js";
import { viewEvent } from "../contract/personal-fields.js";
import { statusNames } from "../contract/status.js";
import { type Argument, argument } from "./arguments.js";

/** Which events are meant. What is undefined lets all pass. */
export interface EventFilter {
  readonly service: readonly string[] | undefined;
  readonly action: readonly string[] | undefined;
  readonly status: readonly string[] | undefined;
  readonly session: readonly string[] | undefined;
  readonly user: readonly string[] | undefined;
  readonly verified: boolean | undefined;
  readonly inferred: boolean | undefined;
}

/** Several values joined by commas, of which one must fit. */
function listOption(
  meaning: string,
  one: (value: string) => string | undefined,
  expects: string,
): Option<readonly string[] | undefined> {
  return {
    meaning,
    expects,
    defaultText: "all",
    read(value) {
      if (!Array.isArray(value)) return undefined;
      const values = value.map((given: unknown) => (typeof given === "string" ? one(given) : undefined));
      return values.every((read) => read !== undefined) ? values : undefined;
    },
    parse: (given) => given.split(",").map((value) => value.trim()),
  };
}

const textsOption = (meaning: string): Option<readonly string[] | undefined> =>
  listOption(meaning, (value) => value || undefined, "texts that are not empty, joined by commas");

const knownStatus = (value: string): string | undefined => statusNames.find((name) => name === value.toUpperCase());

const eitherOption = (meaning: string): Option<boolean | undefined> => {
  const { byDefault: _, ...option } = flag({ meaning, defaultText: "all" });
  return option;
};

/** The options of a filter. */
export const filterTable: OptionsOf<EventFilter> = {
  service: textsOption("Events of these services only, joined by commas"),
  action: textsOption("Events with these actions only, joined by commas"),
  status: listOption(
    "Events with these statuses only, joined by commas",
    knownStatus,
    `statuses joined by commas, each one of ${statusNames.join(", ")}`,
  ),
  session: textsOption("Events of these sessions only, joined by commas"),
  user: textsOption("Events of these users only, joined by commas"),
  verified: eitherOption("Events whose session context was verified; with `=false` the others"),
  inferred: eitherOption("Events whose status is inferred; with `=false` the others"),
};

/** A filter as it is typed. */
export const filterArguments: readonly Argument[] = [
  argument("--service", "NAMES", filterTable.service, ["service"]),
  argument("--action", "ACTIONS", filterTable.action, ["action"]),
  argument("--status", "STATUSES", filterTable.status, ["status"]),
  argument("--session", "IDS", filterTable.session, ["session"]),
  argument("--user", "IDS", filterTable.user, ["user"]),
  { ...argument("--verified", undefined, filterTable.verified, ["verified"]), isEither: true },
  { ...argument("--inferred", undefined, filterTable.inferred, ["inferred"]), isEither: true },
];

/** Makes the function that tells whether an event is meant. It decodes a session context only if the filter asks for that. */
export function createFilter(filter: EventFilter): (event: SessionActivityEvent) => boolean {
  const { service, action, status, session, user, verified, inferred } = filter;
  return (event) => {
    if (!fits(service, event.service) || !fits(action, event.action) || !fits(status, event.status)) return false;
    if (verified !== undefined && verified !== event.contextVerified) return false;
    if (inferred !== undefined && inferred !== event.statusInferred) return false;
    if (session === undefined && user === undefined) return true;
    const { context } = viewEvent(event, undefined);
    return context !== undefined && fits(session, context.sessionId) && fits(user, context.userId);
  };
}

function fits(wanted: readonly string[] | undefined, value: string): boolean {
  return wanted === undefined || wanted.includes(value);
}

/** Whether a filter lets everything pass. */
export function isOpen(filter: EventFilter): boolean {
  return Object.keys(filterTable).every((name) => Reflect.get(filter, name) === undefined);
}
