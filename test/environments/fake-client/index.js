// Loads as the real client does: only if its native part is there.
const native = require("node:path").join(__dirname, "build", "Release", "confluent-kafka-javascript.node");

if (!require("node:fs").existsSync(native)) throw new Error("Could not locate the bindings file. Tried:");
exports.features = ["ssl"];
exports.Producer = Producer;

function Producer() {
  throw new Error("this is no Kafka client");
}
