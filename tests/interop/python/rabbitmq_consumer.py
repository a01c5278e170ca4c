"""Consumes COUNT events of an exchange by a queue of its own: rabbitmq_consumer.py URL EXCHANGE ROUTING_KEY COUNT"""

import sys

import pika
from cloudevents.http import CloudEvent, from_json
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind

from lines import data_of, print_ready, print_received
from telemetry import shutdown, tracer

PREFIX = "cloudEvents:"


def main(url: str, exchange: str, routing_key: str, count: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, exchange, routing_key)
    print_ready()
    left = int(count)
    for method, properties, body in channel.consume(queue):
        receive(properties, body)
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if left == 0:
            break
    connection.close()


def receive(properties: pika.BasicProperties, body: bytes) -> None:
    # As services in the field do it: names matched exactly, every value a string.
    headers = properties.headers or {}
    arrived = extract(headers)
    content_type = properties.content_type
    with tracer.start_as_current_span("receive", arrived, SpanKind.CONSUMER) as span:
        if content_type is not None and content_type.startswith("application/cloudevents"):
            mode, event = "structured", from_json(body)
        else:
            mode, event = "binary", decode(headers, content_type, body)
        traceparents = [value for name, value in headers.items() if name == "traceparent"]
        print_received(mode, event, traceparents, arrived, span)


def decode(headers: dict, content_type: object, body: bytes) -> CloudEvent:
    attributes = {name[len(PREFIX) :]: value for name, value in headers.items() if name.startswith(PREFIX)}
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    return CloudEvent(attributes, data_of(body, content_type))


main(*sys.argv[1:])
shutdown()
