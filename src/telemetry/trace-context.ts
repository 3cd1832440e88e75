import { type Context, context, propagation, ROOT_CONTEXT, type TextMapGetter } from "@opentelemetry/api";

/** What is read of a Kafka record: its headers. */
export interface RecordHeaders {
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array }[];
}

/** A `traceparent` has 55 characters. Those who may write to the topic may write longer headers. */
const maxHeaderBytes = 512;

const headerGetter: TextMapGetter<RecordHeaders> = {
  keys: ({ headers }) => headers.map(({ key }) => key),
  get({ headers }, name) {
    const found = headers.filter(({ key }) => key.toLowerCase() === name.toLowerCase());
    const [header] = found;
    // Of several, nobody knows which one is right.
    if (header === undefined || found.length > 1 || header.value.length > maxHeaderBytes) return undefined;
    return Buffer.from(header.value).toString("latin1");
  },
};

/**
 * The trace context that a record came with: the one of the call that the event is about. It is read by the propagator that
 * your OpenTelemetry SDK registered, which is W3C's by default. The root context if the record has none.
 *
 * For `handleBatch`, whose records belong to many traces: link to each.
 *
 * @example
 * const links = items.flatMap(({ record }) => {
 *   const spanContext = trace.getSpanContext(traceContextOf(record));
 *   return spanContext === undefined ? [] : [{ context: spanContext }];
 * });
 */
export function traceContextOf(record: RecordHeaders): Context {
  return propagation.extract(ROOT_CONTEXT, record, headerGetter);
}

/**
 * Makes a consumer's handler run in the trace of the call that the event is about, so that each span it makes belongs there.
 * Without a registered OpenTelemetry SDK, the handler just runs.
 *
 * @example
 * createSessionActivityConsumer({ groupId: "audit", handle: withTraceContext(async (event) => store(event)), onInvalid });
 */
export function withTraceContext<Event, Handled extends RecordHeaders, Result>(
  handle: (event: Event, record: Handled) => Result,
): (event: Event, record: Handled) => Result {
  return (event, record) => context.with(traceContextOf(record), () => handle(event, record));
}
