"""Starting, changing, killing and breaking a proxy: limits hold through all of it."""

import socket
import threading
import time
from pathlib import Path

import httpx2
import pytest

from tests.e2e.clients import Clients, Route
from tests.e2e.conftest import ProxyFactory
from tests.e2e.counters import Counters
from tests.e2e.proxy import Proxy, ProxyEndedError
from tests.e2e.upstream import Upstream

CONFIG = """
limits:
  - {name: calls, amount: 3 requests per day}
"""
REFUSED = 400
"""What an unknown client gets when a budget is spent: the status that stops the most of them."""
EMBED = {"model": "text-embedding-3-small", "input": "a"}


def embed(http: httpx2.Client) -> int:
    return http.post("https://api.openai.com/v1/embeddings", json=EMBED).status_code


def route(proxy: Proxy) -> Route:
    return Route(proxy=proxy.url, ca_file=proxy.ca_file)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_counters_survive_a_restart_and_a_kill(
    end: str, proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    proxy = proxy_factory(config=CONFIG)
    with route(proxy).http() as http:
        assert [embed(http) for _ in range(2)] == [200, 200]
    getattr(proxy, end)()
    proxy.start()

    assert [embed(clients.http(route(proxy))) for _ in range(3)] == [200, REFUSED, REFUSED]
    assert len(upstream.exchanges) == 3


def test_a_killed_proxy_leaves_a_hold_that_ends_with_its_lease(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    config = "limits: [{name: held, amount: 5000 tokens per day, reserve: maximum}]"
    proxy = proxy_factory(config=config)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4000}
    url = "https://api.openai.com/v1/chat/completions"
    hanging = threading.Thread(target=_post_and_forget, args=(route(proxy), url, body, {"x-test-hang": "1"}))
    hanging.start()
    upstream.wait_exchange()
    before = Counters(proxy)
    assert before.read()["held"] > 4000
    proxy.kill()
    hanging.join()
    proxy.start()

    assert clients.http(route(proxy)).post(url, json=body).status_code == REFUSED, (
        "the hold of the dead proxy still stands"
    )
    _let_leases_end(proxy)
    assert clients.http(route(proxy)).post(url, json=body).status_code == 200


def _post_and_forget(way: Route, url: str, body: object, headers: dict[str, str]) -> None:
    with way.http() as http, pytest.raises(httpx2.HTTPError):
        http.post(url, json=body, headers=headers)


def _let_leases_end(proxy: Proxy) -> None:
    """As if two minutes had passed: the deadlines in the store are moved, since its clock cannot be."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(proxy.data_dir / "counters.db", timeout=10)) as connection, connection:
        assert connection.execute("UPDATE exchanges SET due = due - 130000 WHERE held").rowcount == 1


def test_a_wrong_configuration_stops_the_start_with_its_line(proxy_factory: ProxyFactory) -> None:
    proxy = proxy_factory(config="limits:\n  - name: daily\n    amount: five per day\n", start=False)

    with pytest.raises(ProxyEndedError) as caught:
        proxy.start()

    assert caught.value.code == 1
    assert f"{proxy.config_file}:3: limits[0].amount: found 'five per day', expected an amount" in caught.value.log


def test_an_unknown_provider_or_store_stops_the_start_with_its_line(proxy_factory: ProxyFactory) -> None:
    config = "settings:\n  providers:\n    - {host: 'a.b', provider: nobody}\nlimits: []\n"
    proxy = proxy_factory(config=config, start=False)

    with pytest.raises(ProxyEndedError, match=r"limits.yaml:3: settings.providers: found 'nobody', expected one of"):
        proxy.start()

    proxy = proxy_factory(config="settings:\n  store: 'floppy:a'\nlimits: []\n", start=False)
    with pytest.raises(ProxyEndedError, match=r"limits.yaml:2: store: found the scheme 'floppy', expected"):
        proxy.start()


def test_a_changed_amount_is_in_force_within_seconds_and_keeps_what_was_spent(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    proxy = proxy_factory(config=CONFIG)
    http = clients.http(route(proxy))
    assert [embed(http) for _ in range(4)] == [200, 200, 200, REFUSED]

    proxy.config_file.write_text(CONFIG.replace("3 requests", "5 requests"))
    proxy.wait_log("the changed configuration is in force: 1 limit from")

    assert [embed(http) for _ in range(3)] == [200, 200, REFUSED]


def test_a_broken_edit_keeps_limiting_and_says_so(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    proxy = proxy_factory(config=CONFIG)
    http = clients.http(route(proxy))
    assert [embed(http) for _ in range(3)] == [200, 200, 200]

    proxy.config_file.write_text(CONFIG.replace("3 requests", "many"))
    proxy.wait_log(r"the old one stays in force:\s+\S+limits.yaml:3: limits\[0\].amount: found 'many per day'")
    assert embed(http) == REFUSED

    proxy.config_file.unlink()
    proxy.wait_log(r"limits.yaml: cannot be read: No such file")
    assert embed(http) == REFUSED


def test_reloading_drops_no_request(proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream) -> None:
    proxy = proxy_factory(config=CONFIG.replace("3 requests", "100000 requests"))
    counters = Counters(proxy)
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with route(proxy).http() as http:
            while not stop.is_set():
                statuses.append(embed(http))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for number in range(3):
            start = len(proxy.log)
            proxy.config_file.write_text(CONFIG.replace("3 requests", f"{200_000 + number} requests"))
            proxy.wait_log("the changed configuration is in force", start=start)
    finally:
        stop.set()
        asking.join()

    assert statuses
    assert {200} == set(statuses)
    counters.expect(calls=len(statuses))


def test_no_request_passes_unmetered_while_the_proxy_starts(proxy_factory: ProxyFactory, upstream: Upstream) -> None:
    """Requests are fired at the port from before it opens; each is refused by TCP or by the limit."""
    proxy = proxy_factory(config=CONFIG.replace("3 requests", "0 requests"), start=False)
    answers: list[int] = []
    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            if not proxy.port:
                time.sleep(0)  # gives the starting thread its turn; the port is known just before it opens
                continue
            try:
                with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
                    connection.sendall(_PLAIN)
                    if answer := connection.recv(4096):
                        answers.append(int(answer.split()[1]))
            except OSError:
                continue

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        proxy.port = probe.getsockname()[1]
    hammering = threading.Thread(target=hammer)
    hammering.start()
    try:
        proxy.start()
        deadline = time.monotonic() + 20
        while len(answers) < 20 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        hammering.join()

    assert len(answers) >= 20
    assert {REFUSED} == set(answers)
    assert not upstream.exchanges


_BODY = b'{"model":"text-embedding-3-small","input":"a"}'
_PLAIN = (
    b"POST http://api.openai.com/v1/embeddings HTTP/1.1\r\nHost: api.openai.com\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)

BUGS = """
import limiter.engine, limiter.usage.tap
def broken(*args, **kwargs):
    raise RuntimeError("a bug")
def load(loader):
    if {admit}:
        limiter.engine.Engine.admit = broken
    else:
        import addons.streaming
        addons.streaming.Tap.feed = addons.streaming.Tap.finish = broken
"""


def test_a_bug_before_forwarding_refuses_with_500(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream, tmp_path: Path
) -> None:
    script = tmp_path / "bug.py"
    script.write_text(BUGS.format(admit=True))
    proxy = proxy_factory(config=CONFIG, args=("-s", str(script)))

    response = clients.http(route(proxy)).post("https://api.openai.com/v1/embeddings", json=EMBED)

    assert response.status_code == 500
    assert "internal error" in response.json()["error"]["message"]
    assert not upstream.exchanges
    assert proxy.wait_log("RuntimeError: a bug")


def test_a_bug_in_a_tap_never_reaches_the_client(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream, tmp_path: Path
) -> None:
    script = tmp_path / "bug.py"
    script.write_text(BUGS.format(admit=False))
    proxy = proxy_factory(config=CONFIG, args=("-s", str(script)))

    response = clients.http(route(proxy)).post("https://api.openai.com/v1/embeddings", json=EMBED)

    assert response.status_code == 200
    assert response.json()["data"]
    assert proxy.wait_log("RuntimeError: a bug")


def test_editing_the_script_does_not_remove_the_limits(
    proxy_factory: ProxyFactory, clients: Clients, upstream: Upstream
) -> None:
    """mitmproxy reloads a script whose file changes; ours is not followed, as a broken edit would fail open."""
    proxy = proxy_factory(config=CONFIG)
    script = Path(__file__).parents[2] / "addons" / "ai_limit.py"
    start = len(proxy.log)
    script.touch()
    proxy.config_file.write_text(CONFIG + "# later\n")
    proxy.wait_log("the changed configuration is in force", start=start)
    proxy.config_file.write_text(CONFIG + "# later still\n")
    proxy.wait_log("in force.*\n(?:.*\n)*.*in force", start=start)

    assert "Loading script" not in proxy.log[start:]
    assert [embed(clients.http(route(proxy))) for _ in range(4)][-1] == REFUSED
