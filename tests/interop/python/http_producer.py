"""Posts events to a URL: http_producer.py URL"""

import sys

import requests
from cloudevents.http import to_binary, to_structured
from opentelemetry.trace import SpanKind

from lines import body_of, events_to_send, print_sent
from telemetry import inject_context, shutdown, tracer


def main(url: str) -> None:
    for mode, event in events_to_send():
        with tracer.start_as_current_span("post", kind=SpanKind.PRODUCER) as span:
            if mode == "binary":
                headers, body = to_binary(event, lambda data: body_of(data) or b"")
            else:
                headers, body = to_structured(event)
            inject_context(headers)
            requests.post(url, data=body, headers=headers, timeout=30).raise_for_status()
            print_sent(event, span)


main(*sys.argv[1:])
shutdown()
