"""Who uses the proxy: credentials that clients show to it, with CONNECT or with a request.

They are meant for the proxy alone, so they go no further.
"""

from dataclasses import replace
from weakref import WeakKeyDictionary

from mitmproxy import connection, http
from mitmproxy.proxy.mode_specs import UpstreamMode

from addons.answers import OURS
from addons.attachments import Attachment
from addons.routing import ROUTED
from limiter.app import Running
from limiter.consumers import NOBODY, Roll, Who, told
from limiter.facts import Facts

HEADER = "proxy-authorization"
CONSUMER_HEADER = "x-mse-consumer"
"""In which Higress names who asks."""
_ASKS = ((b"proxy-authenticate", b'Basic realm="ai-limit"'), (b"content-type", b"text/plain; charset=utf-8"))


class Identification:
    """Remembers what clients have proven."""

    def __init__(self) -> None:
        self._connections: WeakKeyDictionary[connection.Client, Who] = WeakKeyDictionary()
        self._requests: Attachment[Who] = Attachment()

    def connect(self, flow: http.HTTPFlow, running: Running) -> None:
        """On CONNECT: remembers who the client is. Asks for credentials where they are wrong, or missing and needed.

        Where models are, requests can still prove by their keys who sends them; other tunnels stay closed to strangers.
        """
        if not running.roll:
            return
        shown = flow.request.headers.get(HEADER, "")
        who = running.roll.by_proxy_authorization(shown)
        if who is not None:
            self._connections[flow.client_conn] = who
        elif shown or (
            running.configuration.settings.require_consumer
            and not running.directory.is_known_host(flow.request.host, flow.request.port)
        ):
            _ask(flow)

    def read(self, flow: http.HTTPFlow, roll: Roll) -> None:
        """On a request's headers: takes off what was meant for this proxy."""
        if not roll or HEADER not in flow.request.headers:
            return
        who = roll.by_proxy_authorization(flow.request.headers[HEADER])
        if who is not None:
            self._requests.put(flow, who)
        # To a proxy behind this one, the field may be a word of its own.
        if who is not None or not isinstance(flow.client_conn.proxy_mode, UpstreamMode):
            del flow.request.headers[HEADER]

    def identified(self, flow: http.HTTPFlow, facts: Facts, roll: Roll) -> Facts:
        """The facts with who asks: proven to a gateway or the proxy, by an API key, or told by a trusted peer."""
        if not facts.trusted:
            # A gateway behind this proxy must not believe a client's own word either.
            flow.request.headers.pop(CONSUMER_HEADER, None)
        routed = ROUTED.get(flow)
        who = (
            (routed.passing.who if routed and routed.passing.who.name else None)
            or self._requests.get(flow)
            or self._connections.get(flow.client_conn)
            or roll.by_key(facts.credential)
            or (told(facts.headers) if facts.trusted else _user(flow))
        )
        if who == NOBODY:
            return facts
        name, id, custom_id, credential_id, groups = who  # noqa: A001 the record's own word
        return replace(
            facts, consumer=name, consumer_id=id, custom_id=custom_id, credential_id=credential_id, groups=groups
        )


def _user(flow: http.HTTPFlow) -> Who:
    """Of mitmproxy's `--proxyauth`."""
    user = flow.metadata.get("proxyauth")
    return Who(name=user[0]) if user else NOBODY


def _ask(flow: http.HTTPFlow) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-15.5.8"""
    flow.response = http.Response.make(407, b"ai-limit: this proxy needs the credentials of a consumer\n", _ASKS)
    flow.metadata[OURS] = True
