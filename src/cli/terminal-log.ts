import { createTroubleLog, type Logger, type TroubleLog } from "../base/log.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import type { Terminal } from "./terminal.js";

/** What a command's clients have to say, as notes: brokers and certificates put words of their own into it. */
export function troubleLogOf({ note }: Pick<Terminal, "note">): TroubleLog<KafkaTrouble> {
  const say = (details: object, message: string): void => {
    const { kind, ...rest }: { readonly kind?: string } = { ...details };
    note(`${kind ?? "note"}: ${message}${Object.keys(rest).length === 0 ? "" : ` ${JSON.stringify(rest)}`}`);
  };
  const logger: Logger = { debug() {}, info() {}, warn: say, error: say };
  return createTroubleLog<KafkaTrouble>(logger);
}
