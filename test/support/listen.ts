import type { AddressInfo, Server, Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface RunningServer {
  readonly port: number;
  readonly baseUrl: string;
  /** Breaks all connections. */
  close(): Promise<void>;
}

/** Lets a server listen on a free port, until the test is over. */
export async function listen(server: Server): Promise<RunningServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  onTestFinished(close);
  return { port, baseUrl: `http://127.0.0.1:${port}`, close };
}
