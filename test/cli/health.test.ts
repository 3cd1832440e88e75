import { request } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { startHealth } from "../../src/cli/health.js";

const noMetrics = (): string => "";

async function start(report: { live: boolean; ready: boolean; handled?: number }): Promise<string> {
  const health = await startHealth(
    { port: 0, host: "127.0.0.1" },
    () => report,
    () => "metric 1\n",
  );
  onTestFinished(() => health.close());
  return `http://127.0.0.1:${health.port}`;
}

test.each([
  [{ live: true, ready: false }, 200, 503],
  [{ live: true, ready: true }, 200, 200],
  [{ live: false, ready: false }, 503, 503],
])("%o: /healthz answers %i, /readyz %i", async (report, healthz, readyz) => {
  const url = await start({ ...report, handled: 3 });
  for (const [path, status] of [
    ["/healthz", healthz],
    ["/readyz", readyz],
    ["/readyz?verbose", readyz],
  ]) {
    const response = await fetch(`${url}${path}`);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({ ...report, handled: 3 });
  }
});

test("/metrics answers in the text format of Prometheus, whatever the health", async () => {
  const url = await start({ live: false, ready: false });
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await response.text()).toBe("metric 1\n");
  expect((await fetch(`${url}/metrics`, { method: "POST" })).status).toBe(405);
});

test("other paths and methods are refused", async () => {
  const url = await start({ live: true, ready: true });
  const statusOf = async (path: string, method = "GET"): Promise<number> =>
    (await fetch(`${url}${path}`, { method })).status;
  expect(await statusOf("/")).toBe(404);
  expect(await statusOf("/healthz/")).toBe(404);
  expect(await statusOf("/healthz", "POST")).toBe(405);
  expect(await statusOf("/readyz", "DELETE")).toBe(405);
  expect(await statusOf("/readyz", "HEAD")).toBe(200);
});

test("closing does not wait for a connection that is left open", async () => {
  const health = await startHealth({ port: 0, host: "127.0.0.1" }, () => ({ live: true, ready: true }), noMetrics);
  const open = request({ port: health.port, method: "POST", path: "/healthz" });
  open.on("error", () => {});
  open.flushHeaders();
  await new Promise((resolve) => open.once("socket", (socket) => socket.once("connect", resolve)));
  await health.close();
});

test("an address that is taken rejects", async () => {
  const health = await startHealth({ port: 0, host: "127.0.0.1" }, () => ({ live: true, ready: true }), noMetrics);
  onTestFinished(() => health.close());
  const again = startHealth({ port: health.port, host: "127.0.0.1" }, () => ({ live: true, ready: true }), noMetrics);
  await expect(again).rejects.toThrow(/EADDRINUSE/);
});
