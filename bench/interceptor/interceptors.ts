import { KafkaJS } from "@confluentinc/kafka-javascript";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { connectBareProducer } from "../kafka/bare-producer.js";

/** An interceptor that only calls `next`. */
export const passThrough: Interceptor = (next) => async (request) => await next(request);

/** One that burns time as well: a control, of which it is known what it costs. */
export function burning(burnUs: () => number): Interceptor {
  const burn = createBurner();
  return (next) => async (request) => {
    burn(burnUs());
    return await next(request);
  };
}

/** An interceptor that produces, and how to wait for its records. */
export interface Floor {
  readonly interceptor: Interceptor;
  readonly drain: Drain;
}

/** The floor: a record of that size for each call, and nothing that makes one. */
export async function bareProduce(brokers: string, topic: string, bytes: number): Promise<Floor> {
  const producer = await connectBareProducer(brokers, topic, "lz4");
  const value = Buffer.alloc(bytes, "session");
  const interceptor: Interceptor = (next) => async (request) => {
    const answer = await next(request);
    producer.produce(value);
    return answer;
  };
  return { interceptor, drain: () => producer.drain() };
}

/** What one writes first: the event as JSON, sent in the call, which waits for it. */
export async function naive(brokers: string, topic: string): Promise<Interceptor> {
  const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: brokers.split(","), logLevel: KafkaJS.logLevel.NOTHING } });
  const producer = kafka.producer({ kafkaJS: { acks: -1 } });
  await producer.connect();
  return (next) => async (request) => {
    const startedAt = new Date();
    let status = "OK";
    try {
      return await next(request);
    } catch (error) {
      status = Code[ConnectError.from(error).code] ?? "Unknown";
      throw error;
    } finally {
      if (request.header.get("x-session-track") === "true") {
        const event = {
          id: crypto.randomUUID(),
          context: request.header.get("x-session-context"),
          action: request.header.get("x-session-operation"),
          procedure: `/${request.service.typeName}/${request.method.name}`,
          status,
          startedAt,
          completedAt: new Date(),
        };
        await producer.send({ topic, messages: [{ value: JSON.stringify(event) }] });
      }
    }
  };
}

/** Resolves when all that was taken has been delivered. */
export type Drain = () => Promise<unknown>;

/** Burns CPU time by work that was timed once, since a clock would count what other threads use, too. */
function createBurner(): (us: number) => void {
  let sink = 0;
  const work = (steps: number): void => {
    for (let step = 0; step < steps; step++) sink = (sink * 31 + step) | 0;
  };
  let stepsPerUs = 0;
  // The fastest of some: the others were disturbed, or not compiled yet.
  for (let round = 0; round < 50; round++) {
    const start = performance.now();
    work(200_000);
    stepsPerUs = Math.max(stepsPerUs, 200 / (performance.now() - start));
  }
  return (us) => work(Math.round(us * stepsPerUs));
}
