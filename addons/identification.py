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
from limiter.consumers import NOBODY, TOLD, Roll, Who, told
from limiter.facts import Facts
from limiter.identity import is_trusted
from limiter.settings import Settings

HEADER = "proxy-authorization"
_READ = frozenset(name.encode() for name in (HEADER, *TOLD))
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
        settings = running.configuration.settings
        if not running.roll and not settings.require_consumer:
            return
        shown = flow.request.headers.get(HEADER, "")
        who = running.roll.by_proxy_authorization(shown)
        if who is not None:
            self._connections[flow.client_conn] = who
        elif (running.roll and shown) or (
            settings.require_consumer
            and not _is_trusted(flow, settings)
            and not running.directory.is_named(flow.request.host, flow.request.port)
        ):
            ask_for_credentials(flow)

    def arrive(self, flow: http.HTTPFlow, running: Running) -> None:
        """On a request's headers: takes off what was meant for this proxy, and words on who asks that are not to be
        believed, by proxies behind this one either."""
        headers = flow.request.headers
        if not any(name.lower() in _READ for name, _ in headers.fields):
            return  # So it is mostly, and looking up each takes long.
        if not _is_trusted(flow, running.configuration.settings):
            for name in TOLD:
                headers.pop(name, None)
        if HEADER in headers:
            who = running.roll.by_proxy_authorization(headers[HEADER])
            if who is not None:
                self._requests.put(flow, who)
            # To a proxy behind this one, the field may be a word of its own.
            if who is not None or not isinstance(flow.client_conn.proxy_mode, UpstreamMode):
                del headers[HEADER]

    def is_stranger(self, flow: http.HTTPFlow, settings: Settings) -> bool:
        """Whether nothing but the request's own key can tell who sent it."""
        return not _is_trusted(flow, settings) and self.proven(flow) is None and _user(flow) == NOBODY

    def identified(self, flow: http.HTTPFlow, facts: Facts, roll: Roll) -> Facts:
        """The facts with who asks: proven to a gateway or the proxy, by an API key, or told by a trusted peer."""
        routed = ROUTED.get(flow)
        who = (
            self.proven(flow)
            or roll.by_key(facts.credential)
            or (routed.passing.who if routed and routed.passing.who != NOBODY else None)
            or roll.completed(told(facts.headers) if facts.trusted else _user(flow))
        )
        if who == NOBODY:
            return facts
        name, id, custom_id, credential_id, groups = who  # noqa: A001 the record's own word
        return replace(
            facts, consumer=name, consumer_id=id, custom_id=custom_id, credential_id=credential_id, groups=groups
        )

    def proven(self, flow: http.HTTPFlow) -> Who | None:
        """By a credential; a gateway's anonymous consumer has none."""
        routed = ROUTED.get(flow)
        if routed and routed.passing.who.credential_id:
            return routed.passing.who
        return self._requests.get(flow) or self._connections.get(flow.client_conn)


def _is_trusted(flow: http.HTTPFlow, settings: Settings) -> bool:
    return is_trusted(flow.client_conn.peername[0], settings.trusted_peers)


def _user(flow: http.HTTPFlow) -> Who:
    """Of mitmproxy's `--proxyauth`."""
    user = flow.metadata.get("proxyauth")
    return Who(name=user[0]) if user else NOBODY


def ask_for_credentials(flow: http.HTTPFlow) -> None:
    """Asks for credentials: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.8"""
    flow.response = http.Response.make(407, b"ai-limit: this proxy needs the credentials of a consumer\n", _ASKS)
    flow.metadata[OURS] = True
