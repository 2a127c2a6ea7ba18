"""Who asks, as far as a request's own fields go."""

import pytest
from mitmproxy.test import tflow

from addons.identification import Identification
from limiter.consumers import Roll
from limiter.facts import Facts


@pytest.mark.parametrize(("trusted", "consumer"), [(True, "ann"), (False, "")])
def test_only_a_trusted_peer_names_a_consumer_here_and_further_on(trusted: bool, consumer: str) -> None:
    flow = tflow.tflow()
    flow.request.headers["X-MSE-Consumer"] = "ann"
    facts = Facts(trusted=trusted, headers={"x-mse-consumer": "ann"})

    assert Identification().identified(flow, facts, Roll(())).consumer == consumer
    assert flow.request.headers.get("x-mse-consumer", "") == consumer
