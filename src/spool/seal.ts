import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/** How values lie in a store: so that damage shows, and, with a key, so that nobody else can read them. */
export interface Seal {
  seal(key: string, value: Uint8Array): Buffer;
  /** Undefined if these are not the bytes that were sealed under this key. */
  open(key: string, sealed: Uint8Array): Uint8Array | undefined;
}

const checksumBytes = 4;

/** The store checks whole blocks only when it is told to, and a bit that flips in memory never. */
export const checksumSeal: Seal = {
  seal(key, value) {
    const sealed = Buffer.allocUnsafe(checksumBytes + value.length);
    sealed.writeUInt32BE(checksumOf(key, value));
    sealed.set(value, checksumBytes);
    return sealed;
  },
  open(key, sealed) {
    if (sealed.length < checksumBytes) return undefined;
    const value = sealed.subarray(checksumBytes);
    const noted = new DataView(sealed.buffer, sealed.byteOffset).getUint32(0);
    return noted === checksumOf(key, value) ? value : undefined;
  },
};

/** Of key and value, so that a value under another key does not pass. */
function checksumOf(key: string, value: Uint8Array): number {
  return crc32(value, crc32(key));
}

const cipher = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** Encrypts with AES-256-GCM: NIST SP 800-38D, with random nonces, so a key is good for about four billion values. */
export function encryptingSeal(secret: Uint8Array): Seal {
  return {
    seal(key, value) {
      const nonce = randomBytes(nonceBytes);
      const encryption = createCipheriv(cipher, secret, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(key));
      const text = Buffer.concat([encryption.update(value), encryption.final()]);
      return Buffer.concat([nonce, encryption.getAuthTag(), text]);
    },
    open(key, sealed) {
      const [tagAt, textAt] = [nonceBytes, nonceBytes + tagBytes];
      if (sealed.length < textAt) return undefined;
      try {
        const decryption = createDecipheriv(cipher, secret, sealed.subarray(0, tagAt), { authTagLength: tagBytes })
          .setAAD(Buffer.from(key))
          .setAuthTag(sealed.subarray(tagAt, textAt));
        return Buffer.concat([decryption.update(sealed.subarray(textAt)), decryption.final()]);
      } catch {
        return undefined;
      }
    },
  };
}
