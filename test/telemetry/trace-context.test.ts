import { createServer } from "node:http2";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { context, propagation, type SpanContext, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createSessionGatewayInterceptor, type SessionActivityEvent } from "../../src/index.js";
import { type SessionActivityRecord, startEmbeddedKafka, startSessionTracking } from "../../src/kafka/index.js";
import { traceContextOf, withTraceContext } from "../../src/telemetry/index.js";
import { startConsumer } from "../kafka/consumer/consumer-fixtures.js";
import { listen } from "../support/listen.js";
import { until } from "../support/until.js";

const spans = new InMemorySpanExporter();

function registerSdk(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }));
}

afterEach(() => {
  spans.reset();
  context.disable();
  propagation.disable();
  trace.disable();
});

/** What OpenTelemetry's instrumentations do at a client: a span, which goes along in the headers. */
const outgoing: Interceptor = (next) => (request) =>
  trace.getTracer("test").startActiveSpan(`send ${request.method.name}`, { kind: SpanKind.CLIENT }, async (span) => {
    propagation.inject(context.active(), request.header, { set: (header, name, value) => header.set(name, value) });
    return next(request).finally(() => span.end());
  });

/** What they do at a server: a span below that of the caller. */
const incoming: Interceptor = (next) => (request) => {
  const caller = propagation.extract(context.active(), request.header, {
    get: (header, name) => header.get(name) ?? undefined,
    keys: (header) => [...header.keys()],
  });
  const options = { kind: SpanKind.SERVER };
  return trace
    .getTracer("test")
    .startActiveSpan(`receive ${request.method.name}`, options, caller, (span) =>
      next(request).finally(() => span.end()),
    );
};

function clientTo(baseUrl: string, interceptors: Interceptor[]) {
  const sessionManager = new Http2SessionManager(baseUrl);
  onTestFinished(() => sessionManager.abort());
  return createClient(
    AccountService,
    createConnectTransport({ baseUrl, httpVersion: "2", sessionManager, interceptors }),
  );
}

describe("with a registered SDK", () => {
  beforeEach(registerSdk);

  it("one trace leads from the client over gateway and service to the consumer's handler", async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const tracking = startSessionTracking({
      env: false,
      service: "account-service",
      kafka: { brokers: kafka.brokers },
    });
    onTestFinished(() => void tracking.shutDown({ graceMs: 0 }));
    const service = await listen(
      tracking.watch(
        createServer(
          connectNodeAdapter(
            tracking.adapterOptions({
              routes: (router) => router.service(AccountService, { changePassword: () => ({}) }),
              interceptors: [incoming],
            }),
          ),
        ),
      ),
    );
    const marking = createSessionGatewayInterceptor({
      session: () => "c2Vzc2lvbg",
      operations: [[AccountService.method.changePassword, "change_password"]],
    });
    const upstream = clientTo(service.baseUrl, [outgoing, marking]);
    const gateway = await listen(
      createServer(
        connectNodeAdapter({
          routes: (router) =>
            router.service(AccountService, { changePassword: (request) => upstream.changePassword(request) }),
          interceptors: [incoming],
        }),
      ),
    );
    const handled: SessionActivityEvent[] = [];
    startConsumer({
      brokers: kafka.brokers,
      topic: "session-activities",
      handle: withTraceContext(async (event) => {
        // Still so after an await.
        await new Promise((resolve) => setTimeout(resolve, 1));
        trace.getTracer("test").startActiveSpan("store", (span) => span.end());
        handled.push(event);
      }),
    });
    await clientTo(gateway.baseUrl, [outgoing]).changePassword({});
    await until(() => handled.length === 1);
    const chain = ["send ChangePassword", "receive ChangePassword", "send ChangePassword", "receive ChangePassword"];
    const all = spans.getFinishedSpans();
    expect(all.map(({ name }) => name).toSorted()).toEqual([...chain, "store"].toSorted());
    expect(new Set(all.map((span) => span.spanContext().traceId)).size).toBe(1);
    // What the consumer stores was caused by what the gateway sent to the service.
    const stored = all.find(({ name }) => name === "store");
    const parent = all.find((span) => span.spanContext().spanId === stored?.parentSpanContext?.spanId);
    expect(parent?.name).toBe("send ChangePassword");
    expect(handled[0]?.traceparent).toContain(stored?.spanContext().traceId);
  });

  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const header = (key: string, value: string) => ({ key, value: Buffer.from(value) });
  const spanOf = (headers: SessionActivityRecord["headers"]): SpanContext | undefined =>
    trace.getSpanContext(traceContextOf({ headers }));

  it.each([["traceparent"], ["TraceParent"]])("reads the header %s", (name) => {
    expect(spanOf([header("content-type", "x"), header(name, traceparent)])).toMatchObject({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      isRemote: true,
    });
  });

  it.each([
    ["none", []],
    ["an empty one", [header("traceparent", "")]],
    ["nonsense", [header("traceparent", "00-zz-yy-01")]],
    ["two", [header("traceparent", traceparent), header("traceparent", traceparent)]],
    ["one that is far too long", [header("traceparent", traceparent + "0".repeat(1_000_000))]],
  ])("has no trace with %s, and leaves that of whoever started the consumer", (_, headers) => {
    const outer = trace.getTracer("test").startSpan("outer");
    context.with(trace.setSpan(context.active(), outer), () => {
      const seen = withTraceContext(() => trace.getActiveSpan())({}, { headers });
      expect(seen).toBeUndefined();
      expect(spanOf(headers)).toBeUndefined();
    });
  });

  it("hands on what the handler gives and throws", async () => {
    const record = { headers: [header("traceparent", traceparent)] };
    expect(withTraceContext((event: number) => event + 1)(1, record)).toBe(2);
    await expect(withTraceContext(() => Promise.reject(new Error("no")))({}, record)).rejects.toThrow("no");
  });
});

it("without an SDK, the handler just runs", () => {
  const headers = [
    { key: "traceparent", value: Buffer.from("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") },
  ];
  expect(withTraceContext((event: number) => [event, trace.getActiveSpan()])(1, { headers })).toEqual([1, undefined]);
});
