import type { ServerResponse } from "node:http";
import type { Asset } from "./page-assets.js";
import { securityHeaders } from "./security-headers.js";

/** An error that says with which status a request ends. Its message is for the user. */
export class RequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, "application/json; charset=utf-8", `${JSON.stringify(body)}\n`);
}

export function sendAsset(response: ServerResponse, { type, body }: Asset): void {
  send(response, 200, type, body);
}

/** A page without script and style, for whoever is not let in. `reason` is one of ours. */
export function sendRefusal(response: ServerResponse, status: number, reason: string): void {
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Locked</title><h1>This console is locked</h1><p>${reason}</p></html>\n`;
  send(response, status, "text/html; charset=utf-8", page);
}

/** Leads to the first view, without the token in the address. */
export function sendEntrance(response: ServerResponse, cookie: string | undefined): void {
  response.writeHead(303, { ...securityHeaders, location: "/", ...(cookie !== undefined && { "set-cookie": cookie }) });
  response.end();
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { ...securityHeaders, "content-type": type, "content-length": Buffer.byteLength(body) });
  // Node leaves the body out if HEAD asked.
  response.end(body);
}
