import { createSessionActivityConsumer } from "connect-session-activity/kafka";
import { createSessionKeySet, verifySessionActivity } from "connect-session-activity/signature";

const keys = createSessionKeySet({ jwksUrl: process.env["GATEWAY_JWKS_URL"] ?? "http://localhost:8090/jwks" });
await keys.ready();
const seen = new Set<string>();

const consumer = createSessionActivityConsumer({
  brokers: process.env["SESSION_TRACKING_KAFKA_BROKERS"] ?? "localhost:9092",
  groupId: "trust-audit",
  async handle(event) {
    const result = await verifySessionActivity(event, keys, { audience: "account-service" });
    if (!result.verified) {
      console.log(event.action, "not verified:", result.problem);
      return;
    }
    // One mark on two events: the gateway sent the call again, or somebody else did.
    console.log(event.action, seen.has(result.signatureId) ? "again" : "verified", "by", result.keyId);
    seen.add(result.signatureId);
  },
  onInvalid(record, reason) {
    console.error(`${record.topic}/${record.partition}@${record.offset}: ${reason}`);
  },
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    keys.close();
    void consumer.close();
  });
}
