"""A table of hooks in place of a walk over all addons at every event.

Half of mitmdump's processor time for a small request is spent on asking each of its three dozen addons, twice an event,
whether it has a hook of that name. The answer changes only when addons come and go, so it is kept: which more than pays
for what limiting costs. Order, error handling and `AddonHalt` are mitmproxy's own.
"""

import inspect
from collections.abc import Callable
from typing import Any

from mitmproxy import exceptions, hooks, version
from mitmproxy.addonmanager import AddonManager, safecall

KNOWN = ("12.2.", "12.3.")
"""Versions whose dispatch is known to be what is repeated here; others keep their own."""
CHANGES = ("add", "clear", "register", "remove")
"""Methods of the manager after which hooks must be looked up again."""

REPLACED = ("trigger", "trigger_event")
"""Methods of the manager that the table stands in for."""

Hooks = tuple[tuple[Callable[..., Any], ...], ...]
"""The hooks of one event: a group for each addon of the chain, its sub-addons included."""


class HookTable:
    """Dispatches the events of one addon manager."""

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._hooks: dict[str, Hooks] = {}

    async def trigger_event(self, event: hooks.Hook) -> None:
        """Runs the event's hooks, addon by addon. A raising hook is logged and ends its own addon's turn only."""
        groups = self._groups(event)
        if not groups:
            return
        args = event.args()
        for group in groups:
            try:
                with safecall():
                    for hook in group:
                        result = hook(*args)
                        if result is not None and inspect.isawaitable(result):
                            await result
            except exceptions.AddonHalt:
                return

    def trigger(self, event: hooks.Hook) -> None:
        """The same for events that are not awaited, which mostly nobody listens to: log lines above all."""
        if self._groups(event):
            AddonManager.trigger(self._manager, event)

    def forget(self) -> None:
        """Addons came or went."""
        self._hooks.clear()

    def _groups(self, event: hooks.Hook) -> Hooks:
        groups = self._hooks.get(event.name)
        if groups is None:
            groups = self._hooks[event.name] = self._look_up(event)
        return groups

    def _look_up(self, event: hooks.Hook) -> Hooks:
        # The manager's own search, so that what counts as a hook is not decided twice.
        found = (tuple(hook for _, hook in self._manager._iter_hooks(addon, event)) for addon in self._manager.chain)
        return tuple(group for group in found if group)


def install(manager: AddonManager) -> bool:
    """Puts a table in front of the manager's dispatch.

    Returns:
        False when mitmproxy is of an unknown version, or its dispatch was replaced by somebody else.
    """
    if not version.VERSION.startswith(KNOWN) or not vars(manager).keys().isdisjoint(REPLACED):
        return False
    table = HookTable(manager)
    for name in CHANGES:
        setattr(manager, name, _followed_by(getattr(manager, name), table.forget))
    for name in REPLACED:
        setattr(manager, name, getattr(table, name))
    return True


def _followed_by[**Arguments, Result](
    method: Callable[Arguments, Result], after: Callable[[], None]
) -> Callable[Arguments, Result]:
    def changed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return method(*args, **kwargs)
        finally:
            after()

    return changed
