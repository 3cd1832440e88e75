import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { classifiedErrorNames, kafkaFailure } from "../../../src/kafka/client/kafka-failure.js";

const { CODES }: { CODES: { ERRORS: Record<string, number> } } = createRequire(import.meta.url)(
  "@confluentinc/kafka-javascript",
);

describe("a failure of the Kafka client", () => {
  it.each([
    ["ERR_MSG_SIZE_TOO_LARGE", "poison"],
    ["ERR_TOPIC_AUTHORIZATION_FAILED", "permanent"],
    ["ERR_UNKNOWN_TOPIC_OR_PART", "permanent"],
    ["ERR_UNSUPPORTED_COMPRESSION_TYPE", "permanent"],
    ["ERR__MSG_TIMED_OUT", "passing"],
    ["ERR_NOT_LEADER_FOR_PARTITION", "passing"],
    [undefined, "passing"],
  ])("%s is %s", (name, failure) => expect(kafkaFailure(name)).toBe(failure));

  it("is classified by names that the client knows", () => {
    expect(classifiedErrorNames.filter((name) => !(name in CODES.ERRORS))).toEqual([]);
  });

  it("is never both permanent and poison", () => {
    expect(new Set(classifiedErrorNames).size).toBe(classifiedErrorNames.length);
  });
});
