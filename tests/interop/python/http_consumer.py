"""Receives events on a free port until it has COUNT of them: http_consumer.py COUNT"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote

from cloudevents.http import from_http
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind

from lines import data_of, print_ready, print_received
from telemetry import shutdown, tracer


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        arrived = extract(headers)
        with tracer.start_as_current_span("receive", arrived, SpanKind.CONSUMER) as span:
            content_type = headers.get("content-type")
            body = self.rfile.read(int(headers["content-length"]))
            if "ce-specversion" in headers:
                mode, unmarshal = "binary", lambda data: data_of(data or None, content_type)
                # HTTP binding 3.1.3.2, which this SDK leaves to its user.
                headers = {k: unquote(v) if k.startswith("ce-") else v for k, v in headers.items()}
            else:
                mode, unmarshal = "structured", None
            event = from_http(headers, body, unmarshal)
            print_received(mode, event, self.headers.get_all("traceparent", []), arrived, span)
        self.send_response(204)
        self.end_headers()
        self.server.received += 1

    def log_message(self, *_: object) -> None:
        pass


def main(count: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.received = 0
        print_ready(url=f"http://127.0.0.1:{server.server_port}/events")
        while server.received < int(count):
            server.handle_request()


main(*sys.argv[1:])
shutdown()
