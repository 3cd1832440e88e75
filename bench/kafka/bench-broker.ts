import { type Cluster, startCluster } from "../../test/kafka-real/cluster.js";

/** How many partitions each topic has. */
export const partitions = 6;

/** One node of Apache Kafka, compiled as in earnest, and with room for its caches. */
export function startBenchBroker(): Promise<Cluster> {
  return startCluster(1, { jvmOptions: ["-Xmx1g", "-XX:TieredStopAtLevel=4"] });
}
