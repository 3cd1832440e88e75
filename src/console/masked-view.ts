import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { cutText } from "../base/text.js";
import { createMask, type Mask, maskEntries, viewEvent } from "../contract/personal-fields.js";
import type { FoundActivity, FoundChange } from "../history/activity-search.js";
import type { LiveEvent, Shown, ShownActivity, ShownChange, ShownSignal } from "./messages.js";

/** An event without what the feed knows of its arrival. */
type ShownEvent = Omit<LiveEvent, "arrivedAt">;

/** Makes what is shown of what there is. */
export interface MaskedView {
  event(event: SessionActivityEvent, replayed: boolean, reveal: Reveal): ShownEvent;
  activity(activity: FoundActivity, reveal: Reveal): ShownActivity;
  signal(signal: string, value: string, reveal: Reveal): ShownSignal;
}

/** Whether personal fields are shown as they are. */
export type Reveal = "masked" | "revealed";

/** Creates the view of one console: masks are the same for the same value in all that it shows. */
export function createMaskedView(): MaskedView {
  const mask = createMask();
  const view: MaskedView = {
    event: (event, replayed, reveal) => liveEventOf(event, replayed, reveal === "masked" ? mask : undefined),
    activity: ({ changes, offered, ...activity }, reveal) => ({
      id: activity.eventId,
      session: activity.sessionId,
      startedAt: activity.startedAtMs,
      completedAt: activity.completedAtMs,
      service: activity.service,
      action: activity.action,
      procedure: activity.procedure,
      status: activity.status,
      verified: activity.verified,
      problem: activity.contextProblem,
      replayed: activity.replayed,
      inferred: activity.statusInferred,
      late: activity.lateReason,
      changes: changes.map((change) => changeOf(change, reveal)),
      notCounted: activity.notCounted,
      cameWith: offered.map(({ signal, value, heldValue }) => ({
        signal,
        value: shownOf(signal, value, reveal),
        held: heldValue === undefined ? undefined : shownOf(signal, heldValue, reveal),
      })),
    }),
    signal: (signal, value, reveal) => ({ signal, value: shownOf(signal, value, reveal) }),
  };

  function shownOf(signal: string, value: string, reveal: Reveal): Shown {
    const text = reveal === "revealed" ? value : (Object.values(maskEntries({ [signal]: value }, mask))[0] ?? "");
    return { text, masked: text !== value };
  }

  function changeOf({ signal, value, previousValue }: FoundChange, reveal: Reveal): ShownChange {
    const before = previousValue === undefined ? undefined : shownOf(signal, previousValue, reveal);
    return { signal, value: shownOf(signal, value, reveal), before };
  }

  return view;
}

/** The fields of a session context that are shown, by the names of their signals. */
const shownFields = [
  ["user_id", "userId"],
  ["actor_id", "actorId"],
  ["device_id", "deviceId"],
  ["country", "country"],
  ["client_ip", "clientIp"],
] as const;

/** What is shown of a text of an event. A stranger's may be of any length, and many are kept. */
const maxShownCharacters = 256;

function short(text: string): string {
  return cutText(text, maxShownCharacters);
}

function liveEventOf(given: SessionActivityEvent, replayed: boolean, mask: Mask | undefined): ShownEvent {
  const { event, context } = viewEvent(given, mask);
  const signals = shownFields.flatMap(([signal, field]): ShownSignal[] => {
    const text = short(context?.[field] ?? "");
    return text === "" ? [] : [{ signal, value: { text, masked: mask !== undefined && field !== "country" } }];
  });
  return {
    id: short(event.eventId),
    startedAt: msOf(event.startedAt) ?? 0,
    completedAt: msOf(event.completedAt),
    service: short(event.service),
    action: short(event.action),
    procedure: short(event.procedure),
    status: short(event.status),
    handlerStatus: short(event.handlerStatus),
    session: context === undefined || context.sessionId === "" ? undefined : short(context.sessionId),
    signals,
    verified: event.contextVerified,
    problem: short(event.contextProblem),
    replayed,
    inferred: event.statusInferred,
  };
}

function msOf(time: SessionActivityEvent["startedAt"]): number | undefined {
  return time === undefined ? undefined : Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1e6);
}
