"""Receives COUNT events of a topic, QoS 1, MQTT 5: mqtt_consumer.py URL TOPIC COUNT"""

import sys
from queue import Queue

from cloudevents.http import CloudEvent, from_json
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind
from paho.mqtt.client import MQTTMessage

from lines import data_of, print_ready, print_received
from mqtt_client import connect
from telemetry import shutdown, tracer

# User properties of a valid attribute's name that are none.
CONTEXT = ("traceparent", "tracestate", "baggage")


def main(url: str, topic: str, count: str) -> None:
    messages: Queue = Queue()
    client = connect(url)
    client.on_message = lambda _client, _userdata, message: messages.put(message)
    client.on_subscribe = lambda *_: print_ready()
    client.subscribe(topic, qos=1)
    client.loop_start()
    for _ in range(int(count)):
        receive(messages.get())
    client.disconnect()
    client.loop_stop()


def receive(message: MQTTMessage) -> None:
    pairs = getattr(message.properties, "UserProperty", [])
    content_type = getattr(message.properties, "ContentType", None)
    arrived = extract(dict(pairs))
    with tracer.start_as_current_span("receive", arrived, SpanKind.CONSUMER) as span:
        if content_type is not None and content_type.startswith("application/cloudevents"):
            mode, event = "structured", from_json(message.payload)
        else:
            mode, event = "binary", decode(pairs, content_type, message.payload)
        print_received(mode, event, [value for name, value in pairs if name == "traceparent"], arrived, span)


def decode(pairs: list, content_type: object, payload: bytes) -> CloudEvent:
    attributes = {name: value for name, value in pairs if name.isalnum() and name not in CONTEXT}
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    return CloudEvent(attributes, data_of(payload, content_type))


main(*sys.argv[1:])
shutdown()
