import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { ExportResultCode } from "@opentelemetry/core";
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base";

/** Takes spans, and keeps nothing. */
const nowhere: SpanExporter = {
  export: (_, done) => done({ code: ExportResultCode.SUCCESS }),
  shutdown: () => Promise.resolve(),
};
const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(nowhere)] });
const tracer = provider.getTracer("bench");

/** A span per call, as one writes it by hand: of a stream, it ends with the start. */
export const interceptor: Interceptor = (next) => async (request) => {
  const span = tracer.startSpan(`${request.service.typeName}/${request.method.name}`, {
    kind: SpanKind.SERVER,
    attributes: {
      "rpc.system": "connect_rpc",
      "rpc.service": request.service.typeName,
      "rpc.method": request.method.name,
    },
  });
  try {
    return await next(request);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: Code[ConnectError.from(error).code] ?? "" });
    throw error;
  } finally {
    span.end();
  }
};
