import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { NotificationService } from "../../gen/example/notification/v1/notification_pb.js";
import { say, sessionHeadersIn } from "./print.js";

export interface Running {
  readonly url: string;
  close(): void;
}

/** The downstream service: it sees the session context, and none of the marks. */
export async function startNotificationService(onHeaders: (headers: Headers) => void): Promise<Running> {
  const handler = connectNodeAdapter({
    routes: (router) =>
      router.service(NotificationService, {
        notify(_, { requestHeader }) {
          onHeaders(requestHeader);
          say("notification", `received ${sessionHeadersIn(requestHeader)}`);
          return {};
        },
      }),
  });
  return listen(createServer(handler));
}

export async function listen(server: ReturnType<typeof createServer>): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => void server.close() };
}
