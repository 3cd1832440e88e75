import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** A time of an event, to the millisecond, in UTC. Undefined for none, and for what protobuf does not allow. */
export function momentText(time: Timestamp | undefined): string | undefined {
  const ms = isValidTime(time) ? Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1e6) : Number.NaN;
  return millisecondsText(ms);
}

/** The same for milliseconds since 1970, as records have them. Whoever writes a record may give it any time. */
export function millisecondsText(ms: number | undefined): string | undefined {
  const date = new Date(ms ?? Number.NaN);
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9_999 ? date.toISOString() : undefined;
}

/** Whether protobuf allows this time: from the year 1 to 9999. */
export function isValidTime(time: Timestamp | undefined): time is Timestamp {
  if (time === undefined || time.nanos < 0 || time.nanos >= 1e9) return false;
  return time.seconds >= -62_135_596_800n && time.seconds <= 253_402_300_799n;
}

/** Whether protobuf allows this duration: up to 10,000 years, and of one sign. */
export function isValidDuration(duration: Duration | undefined): duration is Duration {
  if (duration === undefined || Math.abs(duration.nanos) >= 1e9) return false;
  const { seconds, nanos } = duration;
  if ((seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)) return false;
  return seconds >= -315_576_000_000n && seconds <= 315_576_000_000n;
}

/** A duration in milliseconds. Undefined for none, and for what protobuf does not allow. */
export function durationMs(duration: Duration | undefined): number | undefined {
  return isValidDuration(duration) ? Number(duration.seconds) * 1_000 + duration.nanos / 1e6 : undefined;
}

/** A duration as people say it. */
export function durationText(duration: Duration | undefined): string | undefined {
  const ms = durationMs(duration);
  if (ms === undefined) return undefined;
  if (ms < 10) return `${Number(ms.toFixed(1))}ms`;
  return ms < 10_000 ? `${Math.round(ms)}ms` : `${Number((ms / 1_000).toFixed(1))}s`;
}
