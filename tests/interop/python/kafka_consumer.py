"""Consumes COUNT events of a topic from its beginning: kafka_consumer.py BROKERS TOPIC COUNT"""

import sys

from cloudevents.http import from_json
from cloudevents.kafka import KafkaMessage, from_binary
from confluent_kafka import Consumer, KafkaException, Message
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind

from lines import data_of, print_ready, print_received
from telemetry import shutdown, tracer


def main(brokers: str, topic: str, count: str) -> None:
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": f"{topic}-python", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    print_ready()
    for _ in range(int(count)):
        receive(next_message(consumer))
    consumer.close()


def next_message(consumer: Consumer) -> Message:
    while (message := consumer.poll(1)) is None:
        pass
    if message.error():
        raise KafkaException(message.error())
    return message


def receive(message: Message) -> None:
    # As services in the field do it: every header decoded, names matched exactly.
    headers = message.headers() or []
    carrier = {name: value.decode() for name, value in headers}
    arrived = extract(carrier)
    with tracer.start_as_current_span("consume", arrived, SpanKind.CONSUMER) as span:
        content_type = carrier.get("content-type")
        if content_type is not None and content_type.startswith("application/cloudevents"):
            # Not the SDK's from_structured for Kafka, which takes every header for an attribute.
            mode, event = "structured", from_json(message.value())
        else:
            known = KafkaMessage(dict(headers), message.key(), message.value())
            mode, event = "binary", from_binary(known, data_unmarshaller=lambda body: data_of(body, content_type))
        traceparents = [value.decode() for name, value in headers if name == "traceparent"]
        print_received(mode, event, traceparents, arrived, span)


main(*sys.argv[1:])
shutdown()
