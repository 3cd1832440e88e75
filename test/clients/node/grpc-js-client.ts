// Makes calls with grpc-js. It encodes no messages: all of them are empty, or of no interest.
import type { Readable } from "node:stream";
import * as grpc from "@grpc/grpc-js";
import type { Case } from "../case.js";
import { runCases } from "./run-cases.js";

const encode = (message: Buffer): Buffer => message;
const decode = (bytes: Buffer): Buffer => bytes;
const empty = Buffer.alloc(0);

const shared = new Map<string, grpc.Client>();

await runCases(async (one) => {
  const client = one.cold ? connect(one) : (shared.get(one.target) ?? connect(one));
  if (!one.cold) shared.set(one.target, client);
  try {
    return await call(client, one);
  } finally {
    if (one.cold) client.close();
  }
});
for (const client of shared.values()) client.close();

function connect(one: Case): grpc.Client {
  const secrets = one.tls
    ? grpc.credentials.createSsl(null, null, null, { rejectUnauthorized: false })
    : grpc.credentials.createInsecure();
  return new grpc.Client(one.target, secrets, { "grpc.use_local_subchannel_pool": 1 });
}

interface Listening {
  end(error: Error | null): void;
  readonly metadata: grpc.Metadata;
  readonly options: grpc.CallOptions;
}

function start(client: grpc.Client, { kind, path, how }: Case, { end, metadata, options }: Listening): grpc.Call {
  if (kind === "unary") return client.makeUnaryRequest(path, encode, decode, empty, metadata, options, end);
  if (kind === "server_streaming") {
    const stream = client.makeServerStreamRequest(path, encode, decode, empty, metadata, options);
    return follow(stream, end);
  }
  const writable =
    kind === "client_streaming"
      ? client.makeClientStreamRequest(path, encode, decode, metadata, options, end)
      : follow(client.makeBidiStreamRequest(path, encode, decode, metadata, options), end);
  writable.write(empty);
  if (how !== "keep-sending") writable.end();
  return writable;
}

function follow<Stream extends Readable>(stream: Stream, end: Listening["end"]): Stream {
  stream.on("error", end);
  stream.on("end", () => end(null));
  stream.resume();
  return stream;
}

function call(client: grpc.Client, one: Case): Promise<{ code: number; message?: string }> {
  const { deadlineMs = 0, cancelAfterMs = 0 } = one;
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(one.headers)) metadata.set(name, value);
  return new Promise((resolve) => {
    let cancel: NodeJS.Timeout | undefined;
    const started = start(client, one, {
      metadata,
      options: deadlineMs > 0 ? { deadline: Date.now() + deadlineMs } : {},
      end(error) {
        clearTimeout(cancel);
        if (error === null) resolve({ code: 0 });
        else resolve({ code: (error as grpc.ServiceError).code, message: error.message });
      },
    });
    if (cancelAfterMs > 0) cancel = setTimeout(() => started.cancel(), cancelAfterMs);
  });
}
