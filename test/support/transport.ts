import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";

export const protocols = ["connect", "grpc", "grpc-web"] as const;

const createTransport = {
  connect: createConnectTransport,
  grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport,
};

/** A client's transport with interceptors, over HTTP/2, until the test is over. */
export function transportTo(
  baseUrl: string,
  interceptors: Interceptor[] = [],
  protocol: (typeof protocols)[number] = "connect",
): Transport {
  const sessionManager = new Http2SessionManager(baseUrl);
  onTestFinished(() => sessionManager.abort());
  return createTransport[protocol]({ baseUrl, httpVersion: "2", interceptors, sessionManager });
}
