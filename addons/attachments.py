"""What hangs on a flow between its hooks, and goes when it goes.

Not in `flow.metadata`: `mitmdump -w` writes that to a file, which fails on anything but plain values.
"""

from weakref import WeakKeyDictionary

from mitmproxy import http


class Attachment[Value]:
    """One kind of value, at most one on each flow. A value must not lead back to its flow, or neither ever goes."""

    def __init__(self) -> None:
        self._values: WeakKeyDictionary[http.HTTPFlow, Value] = WeakKeyDictionary()

    def put(self, flow: http.HTTPFlow, value: Value) -> None:
        self._values[flow] = value

    def get(self, flow: http.HTTPFlow) -> Value | None:
        return self._values.get(flow)

    def take(self, flow: http.HTTPFlow) -> Value | None:
        """The value, which hangs there no more."""
        return self._values.pop(flow, None)
