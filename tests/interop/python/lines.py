"""JSON lines: what a producer is to send comes on stdin, what was sent and received goes to stdout."""

import json
import sys
from typing import Any, Iterator, List, Optional, Tuple

from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent, from_json
from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.trace import Span


def events_to_send() -> Iterator[Tuple[str, CloudEvent]]:
    """Lines of {"mode": "binary" | "structured", "event": <JSON event format>}."""
    for line in sys.stdin:
        request = json.loads(line)
        yield request["mode"], from_json(json.dumps(request["event"]))


def print_ready(**facts: Any) -> None:
    _print({"ready": True, **facts})


def print_sent(event: CloudEvent, span: Span) -> None:
    _print({"id": event["id"], "span": _ids(span)})


def print_received(mode: str, event: CloudEvent, traceparents: List[str], arrived: Context, span: Span) -> None:
    """`traceparents`: every one that the message has, to see that it is one; `arrived`: the context extracted from it."""
    _print(
        {
            "mode": mode,
            "event": json.loads(to_json(event)),
            "traceparents": traceparents,
            "baggage": dict(baggage.get_all(arrived)),
            "span": _ids(span),
        }
    )


def body_of(data: Any) -> Optional[bytes]:
    """An event's data as the body of binary mode; the SDK would write text as a JSON string."""
    if data is None or isinstance(data, bytes):
        return data
    return data.encode() if isinstance(data, str) else json.dumps(data).encode()


def data_of(body: Optional[bytes], content_type: Optional[str]) -> Any:
    """The reverse: the SDK would guess by whether it happens to parse."""
    if not body:
        return None
    if content_type is None or content_type.startswith("application/octet-stream"):
        return body
    return json.loads(body) if "json" in content_type else body.decode()


def _ids(span: Span) -> dict:
    context = span.get_span_context()
    return {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}


def _print(line: dict) -> None:
    print(json.dumps(line), flush=True)
