"""Produces events to a topic: kafka_producer.py BROKERS TOPIC"""

import sys

from cloudevents.kafka import to_binary, to_structured
from confluent_kafka import Producer
from opentelemetry.trace import SpanKind

from lines import body_of, events_to_send, print_sent
from telemetry import inject_context, shutdown, tracer


def main(brokers: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    for mode, event in events_to_send():
        with tracer.start_as_current_span("produce", kind=SpanKind.PRODUCER) as span:
            if mode == "binary":
                # The SDK fails on an event that lacks it, not on one that has none.
                event["datacontenttype"] = event.get("datacontenttype")
                message = to_binary(event, body_of)
            else:
                message = to_structured(event)
            context: dict = {}
            inject_context(context)
            headers = {**message.headers, **context}
            producer.produce(topic, message.value, message.key, headers=headers, on_delivery=check)
            producer.flush()
            print_sent(event, span)


def check(error: object, _: object) -> None:
    if error is not None:
        raise RuntimeError(str(error))


main(*sys.argv[1:])
shutdown()
