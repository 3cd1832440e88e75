import type { JSX } from "preact";
import type { ShownActivity } from "../messages.js";
import { visible } from "./shown-text.js";
import { timeText } from "./times.js";

/** A value that a signal had for a while. */
interface Stretch {
  readonly value: string;
  readonly since: number;
  readonly action: string;
}

const shownSignals = ["country", "device_id"] as const;
const width = 600;
const bandHeight = 26;
const labelWidth = 80;
const maxStretches = 60;
/** So many pixels a character takes, about. */
const characterWidth = 7;
const tints = 6;

/** Where country and device changed, as bands over time: a change is a border between two tints. */
export function SignalBands({ activities }: { activities: readonly ShownActivity[] }): JSX.Element | null {
  const bands = shownSignals.map((signal) => ({ signal, stretches: stretchesOf(signal, activities) }));
  const times = activities.map(({ startedAt }) => startedAt);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  if (bands.every(({ stretches }) => stretches.length === 0)) return null;
  // The last value holds on: it needs some room.
  const span = Math.max(1, last - first) * 1.15;
  const place = (at: number): number => labelWidth + ((at - first) / span) * (width - labelWidth);
  return (
    <figure class="bands">
      <h2>Country and device over time</h2>
      <svg viewBox={`0 0 ${width} ${bands.length * bandHeight}`} role="img" aria-label={bands.map(bandText).join(". ")}>
        {bands.map(({ signal, stretches }, row) => (
          <g key={signal} transform={`translate(0 ${row * bandHeight})`}>
            <text class="name" x="0" y="17">
              {signal}
            </text>
            {stretches.map(({ value, since }, index) => {
              const x = place(since);
              const size = place(stretches[index + 1]?.since ?? first + span) - x;
              return <Band key={since + value} x={x} width={size} value={value} tint={tintOf(value, stretches)} />;
            })}
          </g>
        ))}
      </svg>
      <figcaption class="ends">
        <span>{timeText(first)}</span>
        <span>Each border is a change. The last value holds now.</span>
        <span>{timeText(last)}, and on</span>
      </figcaption>
    </figure>
  );
}

function Band({ x, width: size, value, tint }: { x: number; width: number; value: string; tint: number }): JSX.Element {
  const text = visible(value);
  const room = Math.floor((size - 8) / characterWidth);
  const shown = text.length <= room ? text : room > 3 ? `${text.slice(0, room - 1)}…` : "";
  return (
    <>
      <rect class={`tint-${tint}`} x={x} y="2" width={Math.max(2, size)} height={bandHeight - 4}>
        <title>{text}</title>
      </rect>
      <text x={x + 5} y="17">
        {shown}
      </text>
    </>
  );
}

function stretchesOf(signal: string, activities: readonly ShownActivity[]): Stretch[] {
  const changes = activities
    .toReversed()
    .flatMap(({ startedAt, action, changes: own }) =>
      own
        .filter((change) => change.signal === signal)
        .map(({ value }) => ({ value: value.text, since: startedAt, action })),
    );
  return changes.slice(-maxStretches);
}

/** The same value has the same tint each time. */
function tintOf(value: string, stretches: readonly Stretch[]): number {
  const values = [...new Set(stretches.map((stretch) => stretch.value))];
  return values.indexOf(value) % tints;
}

function bandText({ signal, stretches }: { signal: string; stretches: readonly Stretch[] }): string {
  const steps = stretches.map(
    ({ value, since, action }) => `${visible(value)} since ${timeText(since)} by ${visible(action)}`,
  );
  return `${signal}: ${steps.length === 0 ? "no change" : steps.join(", then ")}`;
}
