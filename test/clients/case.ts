/** One call that a client makes: a line of JSON on the client's standard input. Clients in other languages read the same. */
export interface Case {
  /** The session context of the call, by which its event is found. */
  readonly id: string;
  /** When the call starts, in milliseconds after the client has begun. */
  readonly startMs: number;
  /** Host and port. */
  readonly target: string;
  readonly tls: boolean;
  readonly http: "1.1" | "2";
  readonly protocol: Protocol;
  readonly kind: CallKind;
  /** The path of the method. */
  readonly path: string;
  /** Absent or 0: none. */
  readonly deadlineMs?: number;
  /** Counted from the start of the call, as its caller sees it. Absent or 0: never. */
  readonly cancelAfterMs?: number;
  /** The call opens a connection of its own. */
  readonly cold: boolean;
  /** What the client does in its own way, if it has several: see the clients. */
  readonly how: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type Protocol = "connect" | "grpc" | "grpc-web";
export type CallKind = "unary" | "client_streaming" | "server_streaming" | "bidi_streaming";

/** What the caller of a case saw: a line of JSON on the client's standard output. */
export interface Outcome {
  readonly id: string;
  /** gRPC's number. 0 is OK. -1 if the client has no code for it. */
  readonly code: number;
  /** From the start of the call to its end, as its caller saw it. */
  readonly ms: number;
  /** How far behind its plan the call started. */
  readonly lateMs?: number;
  /** What the client says of it. */
  readonly message?: string;
}

/** The method of each kind that the clients call. */
export const paths: Readonly<Record<CallKind, string>> = {
  unary: "/example.account.v1.AccountService/ChangePassword",
  client_streaming: "/example.account.v1.AccountService/ImportDevices",
  server_streaming: "/example.account.v1.AccountService/WatchSessions",
  bidi_streaming: "/example.account.v1.AccountService/SyncDevices",
};

/** The one method without side effects, which the Connect protocol may call by GET. */
export const getPath = "/example.account.v1.AccountService/GetProfile";

/** The header that says what the handler does. */
export const handlerHeader = "x-case-handler";

/** The header that says when a handler answers that answers by itself, in milliseconds after its start. */
export const answerHeader = "x-case-answer-ms";
