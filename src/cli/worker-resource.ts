import { randomUUID } from "node:crypto";
import type { Environment } from "../base/environment.js";
import { cutText } from "../base/text.js";

/** The attributes that say which process it is. Others of the environment would be labels without a bound. */
const names = [
  "service.name",
  "service.namespace",
  "service.instance.id",
  "service.version",
  "deployment.environment.name",
] as const;

/** What OpenTelemetry calls a resource: which process it is that metrics come from. */
export type WorkerResource = Partial<Readonly<Record<(typeof names)[number], string>>>;

const maxCharacters = 128;

/**
 * Which worker this is, as OpenTelemetry's SDKs read it: `OTEL_RESOURCE_ATTRIBUTES`, and `OTEL_SERVICE_NAME`, which wins. Without
 * a `service.instance.id` there, the process has one of its own. What cannot be read is left out.
 */
export function resourceOf(env: Environment): WorkerResource {
  const given = new Map((env["OTEL_RESOURCE_ATTRIBUTES"] ?? "").split(",").flatMap(attributeOf));
  const named = env["OTEL_SERVICE_NAME"]?.trim();
  if (named) given.set("service.name", named);
  const byDefault = new Map([
    ["service.name", "session-activity-history"],
    ["service.instance.id", randomUUID()],
  ]);
  const entries = names.map((name) => [name, cutText(given.get(name) || byDefault.get(name) || "", maxCharacters)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== ""));
}

function attributeOf(pair: string): [name: string, value: string][] {
  const end = pair.indexOf("=");
  if (end < 0) return [];
  try {
    return [[pair.slice(0, end).trim(), decodeURIComponent(pair.slice(end + 1).trim())]];
  } catch {
    return [];
  }
}
