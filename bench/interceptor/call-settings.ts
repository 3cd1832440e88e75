import { generateKeyPairSync } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { sessionHeaders } from "connect-session-activity";
import { createSessionSigner } from "connect-session-activity/signature";
import {
  AccountService,
  ChangePasswordRequestSchema,
  UpdateProfileRequestSchema,
  WatchSessionsRequestSchema,
} from "../../gen/example/account/v1/account_pb.js";
import { typicalContext } from "../kit/typical-event.js";
import type { Protocol } from "./load.js";
import { audience } from "./server-questions.js";

/** A kind of call. */
export interface CallKind {
  readonly name: string;
  readonly path: string;
  readonly message: string;
  readonly isStream: boolean;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const pathOf = (method: { readonly name: string }): string => `/${AccountService.typeName}/${method.name}`;
const { changePassword, updateProfile, watchSessions } = AccountService.method;

/** The first is the one of a quick run. */
export const callKinds: readonly [CallKind, ...CallKind[]] = [
  {
    name: "empty unary",
    path: pathOf(changePassword),
    message: base64(toBinary(ChangePasswordRequestSchema, create(ChangePasswordRequestSchema))),
    isStream: false,
  },
  {
    name: "10-KiB unary",
    path: pathOf(updateProfile),
    message: base64(
      toBinary(UpdateProfileRequestSchema, create(UpdateProfileRequestSchema, { displayName: "n".repeat(10_240) })),
    ),
    isStream: false,
  },
  {
    name: "100-message stream",
    path: pathOf(watchSessions),
    message: base64(toBinary(WatchSessionsRequestSchema, create(WatchSessionsRequestSchema, { limit: 100 }))),
    isStream: true,
  },
];

/** The first is the one of a quick run. */
export const protocols: readonly [Protocol, ...Protocol[]] = ["grpc", "connect"];

const pairs = {
  EdDSA: generateKeyPairSync("ed25519"),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
} as const;

/** The headers that a call comes with. */
export type Mark = "unmarked" | "marked" | "EdDSA" | "ES256";

/** What verifies the marks that {@link headersOf} signs. */
export const publicJwks: Record<string, unknown>[] = Object.entries(pairs).map(([kid, { publicKey }]) => ({
  ...publicKey.export({ format: "jwk" }),
  kid,
}));

export async function headersOf(mark: Mark, procedure: string): Promise<Record<string, string>> {
  if (mark === "unmarked") return {};
  const [context, operation] = [typicalContext(1), "change_password"];
  const headers = {
    [sessionHeaders.track]: "true",
    [sessionHeaders.context]: context,
    [sessionHeaders.operation]: operation,
  };
  if (mark === "marked") return headers;
  const signer = createSessionSigner({ key: pairs[mark].privateKey, keyId: mark, audience });
  const signature = await signer.sign({ context, operation, procedure });
  return { ...headers, [sessionHeaders.signature]: signature };
}
