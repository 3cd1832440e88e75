// What librdkafka does by itself: `rdkafka produce|consume BROKERS TOPIC VALUE_BYTES`. Each line of its input is a number of
// records; it produces so many, or reads so many from the topic's beginning, and prints how long that took, as JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rdkafka.h"

static char error[512];
static long delivered;

static void fail(const char *what) {
  printf("{\"error\":\"%s: %s\"}\n", what, error);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(name);
}

static void count_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  if (message->err) fail(rd_kafka_err2str(message->err));
  delivered++;
}

static void produce(rd_kafka_t *client, const char *topic, const char *value, size_t bytes, long count) {
  delivered = 0;
  for (long sent = 0; sent < count;) {
    rd_kafka_resp_err_t problem = rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE((void *)value, bytes), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_HEADER("content-type", "application/protobuf", -1), RD_KAFKA_V_END);
    if (problem == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(client, 10);
      continue;
    }
    if (problem) fail(rd_kafka_err2str(problem));
    if (++sent % 100 == 0) rd_kafka_poll(client, 0);
  }
  while (delivered < count) rd_kafka_poll(client, 10);
}

/** Reads so many records, and answers with when the first one came. */
static double consume(rd_kafka_t *client, const char *topic, int partitions, long count) {
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
  for (int partition = 0; partition < partitions; partition++)
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(client, list);
  rd_kafka_topic_partition_list_destroy(list);
  double first = 0;
  for (long read = 0; read < count;) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 1000);
    if (message == NULL) continue;
    if (!message->err && read++ == 0) first = now();
    rd_kafka_message_destroy(message);
  }
  rd_kafka_assign(client, NULL);
  return first;
}

static int partitions_of(rd_kafka_t *client, const char *name) {
  const struct rd_kafka_metadata *metadata;
  rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
  if (rd_kafka_metadata(client, 0, topic, &metadata, 10000)) fail("metadata");
  int partitions = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(topic);
  return partitions;
}

int main(int argc, char **argv) {
  int produces = strcmp(argv[1], "produce") == 0;
  const char *topic = argv[3];
  size_t bytes = (size_t)atol(argv[4]);
  char *value = malloc(bytes);
  memset(value, 's', bytes);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[2]);
  if (produces) {
    set(conf, "acks", "-1");
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "5");
    set(conf, "queue.buffering.max.messages", "20000");
    rd_kafka_conf_set_dr_msg_cb(conf, count_delivery);
  } else {
    set(conf, "group.id", "bench-c");
    set(conf, "enable.auto.commit", "false");
  }
  rd_kafka_t *client = rd_kafka_new(produces ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (client == NULL) fail("rd_kafka_new");
  if (!produces) rd_kafka_poll_set_consumer(client);
  int partitions = partitions_of(client, topic);
  long count;
  while (scanf("%ld", &count) == 1) {
    double start = now();
    if (produces)
      produce(client, topic, value, bytes, count);
    else
      start = consume(client, topic, partitions, count);
    printf("{\"seconds\":%.6f}\n", now() - start);
    fflush(stdout);
  }
  return 0;
}
