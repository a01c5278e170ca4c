"""Produces a record for each key of stdin's lines and prints where it went: kafka_keys.py BROKERS TOPIC PARTITIONER"""

import json
import sys

from confluent_kafka import KafkaException, Message, Producer


def main(brokers: str, topic: str, partitioner: str) -> None:
    producer = Producer({"bootstrap.servers": brokers, "partitioner": partitioner})
    for line in sys.stdin:
        producer.produce(topic, b"", json.loads(line).encode(), on_delivery=print_place)
    producer.flush()


def print_place(error, message: Message) -> None:
    if error:
        raise KafkaException(error)
    print(json.dumps({"key": message.key().decode(), "partition": message.partition()}), flush=True)


main(*sys.argv[1:])
