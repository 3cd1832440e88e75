import type { Browser, Page } from "playwright-core";

/** One entry of a trace. Times are in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  /** What the thread itself took: without the time in which others had its core. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Begins to note the tasks of a page's main thread. Answers with what ends that, and says how many ms the longest one worked. */
export async function watchTasks(
  browser: Browser,
  page: Page,
): Promise<() => Promise<{ tasks: number; longestMs: number }>> {
  await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"] });
  return async () => {
    const trace: { readonly traceEvents: readonly TraceEvent[] } = JSON.parse((await browser.stopTracing()).toString());
    const mains = new Set(
      trace.traceEvents
        .filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain")
        .map((event) => `${event.pid} ${event.tid}`),
    );
    const tasks = trace.traceEvents.filter(
      (event) => event.name.endsWith("RunTask") && mains.has(`${event.pid} ${event.tid}`),
    );
    const worked = tasks.map(({ tdur, dur = 0 }) => (tdur ?? dur) / 1_000);
    return { tasks: tasks.length, longestMs: worked.reduce((most, ms) => Math.max(most, ms), 0) };
  };
}
