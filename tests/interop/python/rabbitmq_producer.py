"""Publishes events to an exchange with confirms: rabbitmq_producer.py URL EXCHANGE ROUTING_KEY"""

import sys

import pika
from cloudevents.http import to_structured
from opentelemetry.trace import SpanKind

from lines import body_of, events_to_send, print_sent
from telemetry import inject_context, shutdown, tracer


def main(url: str, exchange: str, routing_key: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    for mode, event in events_to_send():
        with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER) as span:
            content_type, headers, body = encode(mode, event)
            inject_context(headers)
            properties = pika.BasicProperties(content_type=content_type, headers=headers, delivery_mode=2)
            channel.basic_publish(exchange, routing_key, body or b"", properties, mandatory=True)
            print_sent(event, span)
    connection.close()


def encode(mode: str, event: object) -> tuple:
    """CloudEvents AMQP binding 1.0.2, which the SDK lacks; with the separator that JMS clients need, and native types."""
    if mode == "structured":
        headers, body = to_structured(event)
        return headers["content-type"], {}, body
    attributes = {name: value for name, value in event.get_attributes().items() if value is not None}
    content_type = attributes.pop("datacontenttype", None)
    headers = {f"cloudEvents_{name}": value for name, value in attributes.items()}
    return content_type, headers, body_of(event.get_data())


main(*sys.argv[1:])
shutdown()
