"""Publishes events to a topic, QoS 1, MQTT 5: mqtt_producer.py URL TOPIC"""

import sys

from cloudevents.http import CloudEvent, to_structured
from opentelemetry.trace import SpanKind
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lines import body_of, events_to_send, print_sent
from mqtt_client import connect
from telemetry import inject_context, shutdown, tracer


def main(url: str, topic: str) -> None:
    client = connect(url)
    client.loop_start()
    for mode, event in events_to_send():
        with tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER) as span:
            properties, body = encode(mode, event)
            context: dict = {}
            inject_context(context)
            properties.UserProperty = list(context.items())
            client.publish(topic, body, qos=1, properties=properties).wait_for_publish(30)
            print_sent(event, span)
    client.disconnect()
    client.loop_stop()


def encode(mode: str, event: CloudEvent) -> tuple:
    """CloudEvents MQTT binding 1.0.2, which the SDK lacks: bare names as user properties."""
    properties = Properties(PacketTypes.PUBLISH)
    if mode == "structured":
        headers, body = to_structured(event)
        properties.ContentType = headers["content-type"]
        return properties, body
    for name, value in event.get_attributes().items():
        if name == "datacontenttype":
            properties.ContentType = value
        elif value is not None:
            # Appends: the setter of this list does.
            properties.UserProperty = (name, str(value))
    return properties, body_of(event.get_data())


main(*sys.argv[1:])
shutdown()
