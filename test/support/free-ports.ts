import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:net";

/**
 * Ports that nobody listens on, below those that systems give to outgoing connections: somebody who comes back to his port
 * after a while finds it free.
 */
export async function freePorts(count: number): Promise<number[]> {
  // All are held until the last is known, so that none is given out twice.
  const held = new Map<number, Server>();
  while (held.size < count) {
    const port = randomInt(12_000, 32_000);
    const server = createServer();
    const isFree = once(server, "listening").then(
      () => true,
      () => false,
    );
    server.listen(port, "127.0.0.1");
    if (await isFree) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  return [...held.keys()];
}
