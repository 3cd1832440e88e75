import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { decodeSessionContext, encodeSessionContext } from "connect-session-activity";

const key = Buffer.from(process.env["PRIVACY_KEY"] ?? "", "base64"); // 32 bytes, from your secrets
if (key.length !== 32) throw new Error("PRIVACY_KEY must be the base64 of 32 bytes");

/** The same user has the same pseudonym, which only who holds the key can make. What is not needed is left out. */
export function pseudonymize(encoded: string): string {
  const context = decodeSessionContext(encoded); // throws for a stranger's: then nothing is recorded
  const pseudonym = (text: string): string => text && createHmac("sha256", key).update(text).digest("base64url");
  return encodeSessionContext({
    ...context,
    sessionId: pseudonym(context.sessionId),
    userId: pseudonym(context.userId),
    actorId: pseudonym(context.actorId),
    clientIp: "",
    userAgent: "",
    signals: {},
  });
}

/** Only who holds the key can read it. It is a third longer than the context. */
export function encrypt(encoded: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  return Buffer.concat([iv, cipher.update(encoded), cipher.final(), cipher.getAuthTag()]).toString("base64");
}
