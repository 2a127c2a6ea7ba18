"""The table dispatches as mitmproxy itself does: same hooks, same order, same errors."""

import logging
from typing import Any

import pytest
from mitmproxy import addonmanager, exceptions, hooks, options
from mitmproxy.master import Master
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow

from addons import dispatch


class Addon:
    """Notes its calls; what it does beside is a table of its own."""

    def __init__(self, name: str, calls: list[str], raises: Exception | None = None, addons: Any = ()) -> None:
        self.name = name
        self.addons = list(addons)
        self._calls = calls
        self._raises = raises

    def request(self, flow: Any) -> None:
        self._calls.append(f"{self.name}.request")
        if self._raises:
            raise self._raises

    def update(self, flows: Any) -> None:
        self._calls.append(f"{self.name}.update")


class Awaiting(Addon):
    async def request(self, flow: Any) -> None:
        self._calls.append(f"{self.name}.request awaited")


class Deaf:
    name = "deaf"


def chain(calls: list[str]) -> list[Any]:
    inner = [Addon("inner-1", calls), Awaiting("inner-2", calls)]
    faulty = Addon("faulty", calls, ValueError("a bug"), addons=[Addon("after the bug", calls)])
    halting = Addon("halting", calls, exceptions.AddonHalt())
    return [Addon("first", calls), Deaf(), Addon("outer", calls, addons=inner), faulty, halting, Addon("never", calls)]


async def master(*addons: Any) -> Master:
    made = Master(options.Options())
    made.addons.add(*addons)
    return made


async def test_hooks_run_as_without_the_table(caplog: pytest.LogCaptureFixture) -> None:
    plain: list[str] = []
    tabled: list[str] = []
    without, with_table = await master(*chain(plain)), await master(*chain(tabled))
    assert dispatch.install(with_table.addons)

    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            await without.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))
        errors = [record.getMessage() for record in caplog.records]
        caplog.clear()
        for _ in range(2):
            await with_table.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))

    assert plain == tabled
    assert "inner-2.request awaited" in plain
    assert "never.request" not in plain
    assert errors == [record.getMessage() for record in caplog.records] == ["Addon error: a bug"] * 2


async def test_addons_that_come_and_go_are_seen() -> None:
    calls: list[str] = []
    running = await master(Addon("first", calls))
    dispatch.install(running.addons)
    await running.addons.trigger_event(HttpRequestHook(tflow.tflow()))
    later = Addon("later", calls)
    running.addons.add(later)
    await running.addons.trigger_event(HttpRequestHook(tflow.tflow()))
    running.addons.remove(later)
    await running.addons.trigger_event(HttpRequestHook(tflow.tflow()))

    assert calls == ["first.request", "first.request", "later.request", "first.request"]


async def test_events_that_are_not_awaited_reach_their_listeners() -> None:
    calls: list[str] = []
    running = await master(Addon("first", calls))
    dispatch.install(running.addons)
    running.addons.trigger(hooks.UpdateHook([]))
    running.addons.trigger(hooks.RunningHook())

    assert calls == ["first.update"]


async def test_other_versions_and_other_dispatchers_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    running = await master()
    assert dispatch.install(running.addons)
    assert not dispatch.install(running.addons), "installed twice"

    monkeypatch.setattr(dispatch.version, "VERSION", "99.0")
    other = await master()
    assert not dispatch.install(other.addons)
    assert type(other.addons).trigger_event is addonmanager.AddonManager.trigger_event
    assert "trigger_event" not in vars(other.addons)
