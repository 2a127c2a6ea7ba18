"""Who asks, as far as a request's own fields go."""

from ipaddress import ip_network
from types import SimpleNamespace
from typing import cast

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from addons.identification import Identification
from addons.routing import ROUTED, Routed
from limiter.app import Running
from limiter.consumers import TOLD, Roll, Who
from limiter.facts import Facts
from limiter.kong.candidates import Ask
from limiter.kong.entities import Consumer, Credential
from limiter.kong.passage import Passing
from limiter.settings import Settings


def arrived(trusted: bool, **fields: str) -> http.HTTPFlow:
    flow = tflow.tflow()
    for name, value in fields.items():
        flow.request.headers[name.replace("_", "-")] = value
    peers = (ip_network("127.0.0.0/8"),) if trusted else ()
    Identification().arrive(flow, running(Settings(trusted_peers=peers)))
    return flow


def running(settings: Settings) -> Running:
    return cast("Running", SimpleNamespace(roll=Roll(()), configuration=SimpleNamespace(settings=settings)))


@pytest.mark.parametrize("name", TOLD)
def test_only_a_trusted_peer_tells_who_asks_here_and_further_on(name: str) -> None:
    assert arrived(True, **{name: "ann"}).request.headers[name] == "ann"
    assert name not in arrived(False, **{name.title(): "ann"}).request.headers
    underscored = name.upper().replace("-", "_").encode()  # Some upstreams read the one for the other.
    flow = tflow.tflow()
    flow.request.headers.fields += ((underscored, b"ann"),)
    Identification().arrive(flow, running(Settings()))
    assert underscored not in dict(flow.request.headers.fields)


@pytest.mark.parametrize(("trusted", "consumer"), [(True, "ann"), (False, "")])
def test_what_is_told_counts_from_trusted_peers(trusted: bool, consumer: str) -> None:
    facts = Facts(trusted=trusted, headers={"x-mse-consumer": "ann"})
    assert Identification().identified(tflow.tflow(), facts, Roll(())).consumer == consumer


def test_credentials_for_the_proxy_go_no_further_whoever_they_are_of() -> None:
    assert "proxy-authorization" not in arrived(False, proxy_authorization="Basic eDp5").request.headers


def test_an_anonymous_consumer_is_the_last_resort() -> None:
    anonymous = Passing(who=Who(name="anonymous", id="0"))
    flow = tflow.tflow()
    ROUTED.put(flow, Routed(anonymous, "/", Ask("GET", "http", "localhost", 80, "/", ())))
    alice = Consumer(id="1", username="alice", keys=(Credential(id="k", digest="0123456789abcdef"),))
    facts = Facts(credential="0123456789abcdef")
    assert Identification().identified(flow, facts, Roll((alice,))).consumer == "alice"
    assert Identification().identified(flow, Facts(), Roll((alice,))).consumer == "anonymous"
