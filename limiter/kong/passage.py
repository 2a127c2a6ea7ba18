"""The way of a request through a gateway: which route it takes, who sent it, and where it goes."""

from typing import NamedTuple

from limiter.consumers import NOBODY, Who
from limiter.kong.authentication import Authentication, Identified, Shown
from limiter.kong.entities import Gateway
from limiter.kong.router import Ask, Match, Router, Upstream
from limiter.voices import Answer, Fields


class Passing(NamedTuple):
    """A request that may go on."""

    service: str = ""
    """Id; empty: none of the gateway's."""
    route: str = ""
    """Id; empty: none of the gateway's."""
    who: Who = NOBODY
    """Who has proven to be the sender."""
    upstream: Upstream | None = None
    """Where it goes; None: where it goes anyway."""
    hidden: tuple[str, ...] = ()
    """Names of header fields and query parameters that are taken off, in lower case."""
    told: Fields | None = None
    """Fields that tell the upstream who asks, in place of the client's; None: nobody was asked."""


_JSON = (("content-type", "application/json; charset=utf-8"),)
NO_ROUTE = Answer(404, _JSON, b'{"message":"no Route matched with those values"}')
NO_SERVICE = Answer(503, _JSON, b'{"message":"no Service found with those values"}')


class Passage:
    """A gateway at work."""

    def __init__(self, gateway: Gateway) -> None:
        self._router = Router(gateway)
        self._authentication = Authentication(gateway)
        self.has_routes = bool(gateway.routes)
        self._known = bool(gateway.services or gateway.routes or gateway.authentication)

    def __bool__(self) -> bool:
        """Whether it makes any difference to a request."""
        return self._known

    def take(self, ask: Ask, provider: str = "", proven: Who | None = None, *, inbound: bool) -> Passing | Answer:
        """What becomes of a request.

        Args:
            provider: that it goes to, as the provider table calls it; empty: none that is known.
            proven: who has shown credentials to a forward proxy: no plugin need ask again.
            inbound: it is sent to this proxy as to a gateway, and not through it to somewhere else.
        """
        match = self._router.match(ask) if inbound else self._router.towards(ask, provider)
        if match is None and inbound and self.has_routes:
            return NO_ROUTE
        if match is not None and match.service is None and inbound:
            return NO_SERVICE
        service, route = _ids(match)
        shown = Shown(ask.fields, ask.target.partition("?")[2], ask.method)
        found = self._authentication.ask(shown, service, route)
        if proven is not None and not inbound:
            found = Identified(proven, found.hide if isinstance(found, Identified) else ())
        if isinstance(found, Answer):
            return found
        return Passing(
            service=service,
            route=route,
            who=found.who,
            upstream=match.upstream(ask) if match and inbound else None,
            hidden=found.hide,
            # Whoever is asked through a forward proxy is not to learn who asks.
            told=(found.fields if inbound else ()) if self._authentication else None,
        )


def _ids(match: Match | None) -> tuple[str, str]:
    if match is None:
        return "", ""
    return (match.service.id if match.service else ""), (match.route.id if match.route else "")
