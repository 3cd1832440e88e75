import { hash, randomBytes } from "node:crypto";
import type { SessionActivityEvent, SessionContext } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { decodeSessionContext } from "./session-context.js";
import { readSignature, type ShownSignature } from "./shown-signature.js";

/** Puts something in place of a value that tells of a person. */
export type Mask = (value: string) => string;

/** The fields of a session context that tell who acts, and from where. */
const personalContextFields = ["userId", "actorId", "deviceId", "clientIp", "userAgent"] as const;

/** Parts of names, in whatever case they are joined, of attributes and signals that tell of a person. */
const personalWords: ReadonlySet<string> = new Set(
  `account actor address agent birth birthday birthdate city contact cookie credential device dob email fingerprint firstname
  fullname geo iban imei ip ipaddress lastname lat latitude location lng login lon longitude mail mobile msisdn name nickname
  owner passport password phone postcode remote secret ssn street subject surname tax tel telephone token user useragent
  username zip`.split(/\s+/),
);

/** Values that tell of a person whatever they are called: an address of mail or of a machine, a number of a phone or an account. */
const personalValues: readonly RegExp[] = [
  /[^\s@]@[^\s@]/,
  /(?<![\d.])\d{1,3}(\.\d{1,3}){3}(?![\d.])/,
  /(?<![\w:])(?=(?:[\da-f.]*:){2})[\da-f]{0,4}(:[\da-f.]{0,15}){2,8}(?![\w:])/i,
  /^\+?\(?\d[\d ()/-]{6,}\d$/,
  /^[A-Z]{2}\d{2}[ \dA-Z]{11,40}$/,
];

/** What is longer is masked unseen: nobody can make the patterns work for long. */
const maxSearched = 1_024;

/** Of how many texts it is remembered what was found, and how long they are: a few hundred KB. */
const maxKnown = 4_096;
const maxKnownLength = 128;

/** Whether a name tells of a person, for those that were asked for. */
const namesAsked = new Map<string, boolean>();

/** Whether what has this name tells of a person: a word of it is one of those that do. Names come again and again. */
function isPersonalName(name: string): boolean {
  if (name.length > maxSearched) return true;
  return namesAsked.get(name) ?? remember(namesAsked, name, hasPersonalWord(name));
}

function hasPersonalWord(name: string): boolean {
  const words = name
    .replace(/(?<=[a-z\d])(?=[A-Z])/g, " ")
    .toLowerCase()
    .split(/[^a-z\d]+/);
  return words.some((word) => personalWords.has(word)) || personalWords.has(words.join(""));
}

/** Whether a value tells of a person by its form. */
function isPersonalValue(value: string): boolean {
  return value.length > maxSearched || personalValues.some((form) => form.test(value));
}

/** Whether a value with this name tells of a person, by its name or by its form. For attributes, and for signals of a session. */
export function isPersonalSignal(name: string, value: string): boolean {
  return isPersonalName(name) || isPersonalValue(value);
}

/** The bytes of a key by which masks are made. */
const keyBytes = 32;

/** A key for {@link createMask}. Whoever has it can find out what a mask stands for by trying. */
export function createMaskKey(): Uint8Array {
  return randomBytes(keyBytes);
}

/**
 * Creates a mask: `masked-` and eight hexadecimal digits, the same for the same value. It shows that two events are of one
 * user, and not of whom. With another key the digits are others.
 *
 * @param key By default a new one, so that nothing can be compared across programs.
 */
export function createMask(key: Uint8Array = createMaskKey()): Mask {
  // Of 256 bits 32 are shown, so nobody can go on from a mask to that of a longer value: an HMAC would hide no more, and takes
  // four times as long.
  const secret = Buffer.from(key).toString("hex");
  const known = new Map<string, string>();
  // Devices and user agents come again and again. Encoded contexts do not.
  return (value) =>
    value === ""
      ? ""
      : (known.get(value) ?? remember(known, value, `masked-${hash("sha256", secret + value).slice(0, 8)}`));
}

/** Keeps what was found of a text, unless that is long. What comes again is soon there again. */
function remember<Found>(known: Map<string, Found>, text: string, found: Found): Found {
  if (text.length > maxKnownLength) return found;
  if (known.size >= maxKnown) known.clear();
  known.set(text, found);
  return found;
}

/** An event as somebody may see it, and what its session context says. */
export interface EventView {
  readonly event: SessionActivityEvent;
  /** Undefined if the event has none, or one that is not made by `encodeSessionContext`. */
  readonly context: SessionContext | undefined;
  /** Whether there is a session context that cannot be decoded. */
  readonly isContextOpaque: boolean;
  /** What the signature says of itself, which tells of nobody. Undefined if there is none that can be read. */
  readonly signature: ShownSignature | undefined;
}

/** The longest session context that is decoded for a view. Kafka itself bounds what can come. */
const maxContextBytes = 1_048_576;

/**
 * Decodes the session context of an event, and masks what tells of a person: there, in the attributes, and in the encoded
 * context and the signature, which hold it, too. Without a mask everything is as it came. Never throws.
 *
 * @example viewEvent(event, createMask()).context?.userId // "masked-1f0c9a3e"
 */
export function viewEvent(event: SessionActivityEvent, mask: Mask | undefined): EventView {
  const context = decodedContext(event.encodedSessionContext);
  const isContextOpaque = context === undefined && event.encodedSessionContext !== "";
  const signature = readSignature(event.markSignature);
  if (mask === undefined) return { event, context, isContextOpaque, signature };
  const masked = context && maskContext(context, mask);
  return { event: maskEvent(event, mask), context: masked, isContextOpaque, signature };
}

/**
 * Masks what tells of a person in an event. The encoded session context and the signature are masked as a whole. Fields that
 * only a newer schema knows are left out: nobody can say whom they tell of.
 */
function maskEvent(event: SessionActivityEvent, mask: Mask): SessionActivityEvent {
  const masked = { ...event };
  if (masked.$unknown !== undefined) delete masked.$unknown;
  masked.encodedSessionContext = mask(event.encodedSessionContext);
  masked.markSignature = mask(event.markSignature);
  masked.attributes = maskEntries(event.attributes, mask);
  return masked;
}

/** Masks what tells of a person in a session context. Session, organization, country and kind of login stay. */
export function maskContext(context: SessionContext, mask: Mask): SessionContext {
  const masked = { ...context };
  if (masked.$unknown !== undefined) delete masked.$unknown;
  for (const name of personalContextFields) masked[name] = mask(context[name]);
  masked.signals = maskEntries(context.signals, mask);
  return masked;
}

/** Masks entries by their name, or by the form of their value. A name may tell of a person, too. */
export function maskEntries(entries: Readonly<Record<string, string>>, mask: Mask): Record<string, string> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, value]) => [
      isPersonalValue(name) ? mask(name) : name,
      isPersonalSignal(name, value) ? mask(value) : value,
    ]),
  );
}

function decodedContext(encoded: string): SessionContext | undefined {
  if (encoded === "") return undefined;
  try {
    return decodeSessionContext(encoded, { maxBytes: maxContextBytes });
  } catch {
    return undefined;
  }
}
