import { metrics, trace } from "@opentelemetry/api";
import { createSessionActivityConsumer, type SessionActivityConsumer } from "connect-session-activity/kafka";
import { instrumentSessionActivityConsumer, withTraceContext } from "connect-session-activity/telemetry";

const tracer = trace.getTracer("security-audit");

export const consumer: SessionActivityConsumer = createSessionActivityConsumer({
  groupId: "security-audit",
  // Each span that is made in here belongs to the trace of the call that the event is about.
  handle: withTraceContext((event) =>
    tracer.startActiveSpan("audit", (span) => {
      span.setAttribute("action", event.action);
      span.end();
    }),
  ),
  onInvalid(record, reason) {
    console.error(`${record.topic}/${record.partition}@${record.offset}: ${reason}`);
  },
});
instrumentSessionActivityConsumer(consumer, { meter: metrics.getMeter("connect-session-activity") });
