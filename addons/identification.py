"""Who uses the proxy: credentials that clients show to it, with CONNECT or with a request.

They are meant for the proxy alone, so they go no further.
"""

from dataclasses import replace
from weakref import WeakKeyDictionary

from mitmproxy import connection, http
from mitmproxy.proxy.mode_specs import RegularMode

from addons.answers import give
from addons.attachments import Attachment
from addons.routing import ROUTED
from limiter.app import Running
from limiter.consumers import NOBODY, TOLD, Roll, Who, told
from limiter.facts import Facts
from limiter.identity import is_trusted
from limiter.settings import Settings
from limiter.voices import Answer

HEADER = "proxy-authorization"
_READ = frozenset(name.encode() for name in (HEADER, *TOLD))
ASKED = Answer(
    407,
    (("proxy-authenticate", 'Basic realm="ai-limit"'), ("content-type", "text/plain; charset=utf-8")),
    b"ai-limit: this proxy needs the credentials of a consumer\n",
)
"""For who has shown none: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.8"""


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
            give(flow, ASKED)

    def arrive(self, flow: http.HTTPFlow, running: Running) -> None:
        """On a request's headers: takes off what was meant for this proxy, and words on who asks that are not to be
        believed, by proxies behind this one either."""
        fields = flow.request.headers.fields
        names = {name for name, _ in fields if name.lower().replace(b"_", b"-") in _READ}
        if not names:
            return
        shown = flow.request.headers.get(HEADER)
        trusted = _is_trusted(flow, running.configuration.settings)
        who = running.roll.by_proxy_authorization(shown) if shown else None
        if who is not None:
            self._requests.put(flow, who)
        # To a proxy behind this one, the field may be a word of its own.
        meant = who is not None or isinstance(flow.client_conn.proxy_mode, RegularMode)
        for name in names:
            if meant if name.lower() == HEADER.encode() else not trusted:
                flow.request.headers.pop(name.decode("latin-1"), None)

    def is_stranger(self, flow: http.HTTPFlow, settings: Settings) -> bool:
        """Whether nobody is known to have sent a request to a host that is no model's."""
        routed = ROUTED.get(flow)
        return not (
            _is_trusted(flow, settings)
            or self.proven(flow) is not None
            or _user(flow) != NOBODY
            or (routed is not None and routed.passing.who != NOBODY)
        )

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
