import type { JSX } from "preact";
import type { Minute } from "../messages.js";

const minuteMs = 60_000;
const shownMinutes = 60;
const width = 600;
const height = 90;
const laneHeight = 14;

/** Statuses that tell the same kind of story have one colour. */
const kinds = [
  { name: "OK", holds: (status: string) => status === "OK" },
  { name: "refused", holds: (status: string) => /^(UNAUTHENTICATED|PERMISSION_DENIED)$/.test(status) },
  {
    name: "caller left, or too late",
    holds: (status: string) => /^(CANCELLED|DEADLINE_EXCEEDED|UNSETTLED|INTERRUPTED)$/.test(status),
  },
  { name: "failed", holds: () => true },
] as const;

type KindCounts = readonly number[];

function countsOf({ byStatus }: Minute): KindCounts {
  const counts = kinds.map(() => 0);
  for (const [status, count] of Object.entries(byStatus)) {
    const kind = kinds.findIndex(({ holds }) => holds(status));
    counts[kind] = (counts[kind] ?? 0) + count;
  }
  return counts;
}

/** The calls of the last hour, by status, with what is not verified and what was lost in lanes beneath. */
export function MinuteChart({ minutes }: { minutes: readonly Minute[] }): JSX.Element {
  const now = Math.floor(Date.now() / minuteMs) * minuteMs;
  const first = now - (shownMinutes - 1) * minuteMs;
  const shown = minutes.filter(({ at }) => at >= first && at <= now);
  const highest = Math.max(1, ...shown.map((minute) => countsOf(minute).reduce((sum, count) => sum + count, 0)));
  const step = width / shownMinutes;
  return (
    <figure class="chart">
      <svg
        viewBox={`0 0 ${width} ${height + 2 * laneHeight}`}
        role="img"
        aria-label={chartText(shown)}
        preserveAspectRatio="none"
      >
        {shown.map((minute) => (
          <g key={minute.at} transform={`translate(${((minute.at - first) / minuteMs) * step} 0)`}>
            <Bar counts={countsOf(minute)} highest={highest} width={step - 1} />
            {minute.unverified > 0 && (
              <rect class="unverified" y={height + 2} width={step - 1} height={laneHeight - 4} />
            )}
            {minute.dropped > 0 && (
              <rect class="dropped" y={height + laneHeight + 2} width={step - 1} height={laneHeight - 4} />
            )}
          </g>
        ))}
      </svg>
      <figcaption>
        <p class="ends">
          <span>an hour ago</span>
          <span>Calls per minute by how they ended, at most {highest} a minute</span>
          <span>now</span>
        </p>
        <Legend minutes={shown} />
      </figcaption>
    </figure>
  );
}

function Bar({
  counts,
  highest,
  width: barWidth,
}: {
  counts: KindCounts;
  highest: number;
  width: number;
}): JSX.Element {
  let top = height;
  return (
    <>
      {counts.map((count, kind) => {
        const size = (count / highest) * height;
        top -= size;
        return count === 0 ? null : <rect key={kind} class={`kind-${kind}`} y={top} width={barWidth} height={size} />;
      })}
    </>
  );
}

function Legend({ minutes }: { minutes: readonly Minute[] }): JSX.Element {
  const totals = kinds.map((_, kind) => minutes.reduce((sum, minute) => sum + (countsOf(minute)[kind] ?? 0), 0));
  const unverified = minutes.reduce((sum, minute) => sum + minute.unverified, 0);
  const dropped = minutes.reduce((sum, minute) => sum + minute.dropped, 0);
  return (
    <ul class="legend">
      {kinds.map(({ name }, kind) => (
        <li key={name} class={`kind-${kind}`}>
          {name} {totals[kind]}
        </li>
      ))}
      <li class="unverified">not verified {unverified}</li>
      <li class="dropped">declared losses {dropped}</li>
    </ul>
  );
}

function chartText(minutes: readonly Minute[]): string {
  const calls = minutes.reduce((sum, minute) => sum + countsOf(minute).reduce((all, count) => all + count, 0), 0);
  return `Calls per minute by status in the last hour: ${calls} calls`;
}
