"""paho-mqtt, connected by MQTT 5."""

from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion


def connect(url: str) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    address = urlsplit(url)
    client.connect(address.hostname or "localhost", address.port or 1883)
    return client
