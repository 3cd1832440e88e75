import { onTopOfEnvironment } from "../../base/environment.js";
import { conflictingOption, missingOption, wrongOption } from "../../base/option-error.js";
import { isOptions, readOptions } from "../../base/options.js";
import { withOAuth } from "../client/oauth-token.js";
import { consumerFromEnv } from "../environment/kafka-environment.js";
import {
  type ConsumerSettings,
  consumerTable,
  type GivenConsumerSettings,
  type SessionActivityConsumerOptions,
} from "./consumer-options.js";

/** Checks and completes the options, with the environment beneath. Throws an `OptionError` that names the option. */
export function consumerSettings(options: SessionActivityConsumerOptions): ConsumerSettings {
  const all = onTopOfEnvironment(options, (env, { onInvalid }) => {
    const { deadLetterTopic, ...beneath } = consumerFromEnv(env);
    // Code says already what becomes of such records.
    return onInvalid === undefined ? { ...beneath, deadLetterTopic } : beneath;
  });
  const given = readOptions("createSessionActivityConsumer", consumerTable, all);
  const { handle: _, handleBatch: __, onInvalid: ___, deadLetterTopic: ____, env: _____, ...settings } = given;
  const { backoffMs, maxBackoffMs } = settings.retry;
  if (maxBackoffMs < backoffMs && isGiven(all, "retry", "maxBackoffMs")) {
    throw conflictingOption("retry.maxBackoffMs", "retry.maxBackoffMs must not be less than retry.backoffMs");
  }
  return {
    ...settings,
    ...handlerOf(given),
    setAside: setAsideOf(given),
    retry: { ...settings.retry, maxBackoffMs: Math.max(backoffMs, maxBackoffMs) },
    properties: withOAuth(settings),
  };
}

function isGiven(all: unknown, group: string, name: string): boolean {
  const inside = isOptions(all) ? all[group] : undefined;
  return isOptions(inside) && inside[name] !== undefined;
}

function handlerOf({ handle, handleBatch }: GivenConsumerSettings): Pick<ConsumerSettings, "handle" | "batchSize"> {
  if (handle !== undefined && handleBatch !== undefined) {
    throw conflictingOption("handleBatch", "handle and handleBatch must not both be given: leave one out");
  }
  if (handleBatch !== undefined) return { handle: handleBatch, batchSize: 100 };
  if (handle === undefined) throw missingOption("handle", "a function", "or handleBatch");
  return { handle: ([item]) => item && handle(item.event, item.record), batchSize: 1 };
}

function setAsideOf({ onInvalid, deadLetterTopic, topic }: GivenConsumerSettings): ConsumerSettings["setAside"] {
  if (onInvalid !== undefined && deadLetterTopic !== undefined) {
    throw conflictingOption("deadLetterTopic", "onInvalid and deadLetterTopic must not both be given: leave one out");
  }
  if (onInvalid !== undefined) return onInvalid;
  if (deadLetterTopic === undefined) throw missingOption("onInvalid", "a function", "or deadLetterTopic");
  if (deadLetterTopic === topic) {
    throw wrongOption("deadLetterTopic", "another topic than the one that is read", deadLetterTopic);
  }
  return { topic: deadLetterTopic };
}
