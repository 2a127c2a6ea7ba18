"""From configurations of the plugin to rules, once the settings of all documents are known."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import count

from limiter.config.adapter import Adapted, Named
from limiter.config.documents import Document
from limiter.config.explain import Report
from limiter.config.higress.conditions import accepting, dimension, matching
from limiter.config.higress.plugin import Item, Plugin, Threshold
from limiter.config.higress.resource import EVERYTHING, Part
from limiter.config.higress.servers import ledger
from limiter.config.notices import Steps, field_name
from limiter.dimensions import is_secret
from limiter.higress import keys
from limiter.higress.values import PSEUDO
from limiter.higress.voice import HigressVoice
from limiter.rules import Choice, Condition, Limit, Rule
from limiter.settings import Settings
from limiter.windows import SECONDS, Window

METERS = {"io": "io_tokens", "total": "total_tokens", "weighted": "weighted_tokens"}
"""`settings: count`."""
LONGEST = 48
"""Characters of a limit's name that come from the rule's."""
_ODD = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)


def compiled(document: Document, parts: Sequence[Part], settings: Settings, taken: Collection[str]) -> Adapted:
    """The rules of a document's configurations.

    Args:
        taken: names that limits have already.
    """
    compiler = _Compiler(document, settings, taken)
    rules = [rule for index, part in enumerate(parts) for rule in compiler.part(index, part, alone=len(parts) == 1)]
    return Adapted(
        rules=tuple(rules),
        names=tuple(compiler.names),
        warnings=tuple(compiler.report.warnings),
        problems=tuple(compiler.report.problems),
    )


class _Compiler:
    """What the configurations of one document share."""

    def __init__(self, document: Document, settings: Settings, taken: Collection[str]) -> None:
        self.report = Report(document)
        self.names: list[Named] = []
        self._document = document
        self._settings = settings
        self._taken = set(taken)
        self._of = str(document.place(()))
        """Tells choices of this document from those of others."""

    def part(self, index: int, part: Part, *, alone: bool) -> Iterator[Rule]:
        """The rules of a configuration. The first that is for a request keeps those that follow from it.

        Args:
            alone: it is the only one.
        """
        conditions = matching(part.match, self._settings, part.plugin.path, self.report)
        outer: tuple[Choice, ...] = ()
        if not alone or part.match != EVERYTHING:
            outer = (Choice(self._of, index),)
            # Also where none of its limits apply.
            yield Rule((), conditions, outer)
        yield from self._plugin(index, part.plugin, conditions, outer)

    def _plugin(
        self, index: int, plugin: Plugin, conditions: tuple[Condition, ...], outer: tuple[Choice, ...]
    ) -> Iterator[Rule]:
        voice = HigressVoice(status=plugin.status, message=plugin.message, shows_quota=plugin.shows_quota)
        store = ledger(plugin.redis, self._settings, self.report)
        rule_name = _ODD.sub("-", plugin.rule_name)[:LONGEST].strip("-") or "rule"
        if plugin.whole:
            name = self._name(rule_name, (*plugin.path, "global_threshold"))
            limit = self._limit(name, plugin, None, plugin.whole)
            yield Rule((limit,), conditions, outer, voice, store)
        self._warn_of_secrets(plugin.items)
        options = count()
        for position, item in enumerate(plugin.items):
            # In generation B one key of all items counts, in C one key of each.
            of = f"{self._of}#{index}.{position if plugin.overlay else 'items'}"
            for number, key in enumerate(item.keys, start=1):
                name = self._name(f"{rule_name}.{position + 1}.{number}", key.path)
                limit = self._limit(name, plugin, item, key.threshold)
                accepted = (*conditions, *accepting(item, key, overlay=plugin.overlay))
                yield Rule((limit,), accepted, (*outer, Choice(of, next(options))), voice, store)

    def _limit(self, name: str, plugin: Plugin, item: Item | None, threshold: Threshold) -> Limit:
        """`item` None: the whole traffic's."""
        kind, of = (item.kind, item.name) if item else ("global_threshold", "")
        layout = keys.layout(plugin.rule_name, kind, SECONDS[threshold.unit], of, overlay=plugin.overlay)
        if item and self._settings.digest_values and _is_readable(item):
            layout = layout._replace(digested=True)
        return Limit(
            name=name,
            meter=METERS[self._settings.count],
            amount=threshold.amount,
            window=Window("anchored", 1, threshold.unit),
            per=(dimension(item, overlay=plugin.overlay),) if item else (),
            key=layout,
            admits_full=True,
            capped=True,
        )

    def _name(self, wanted: str, path: Steps) -> str:
        """A name that no other limit has: gateways let rules share theirs, since the keys of counters are of others."""
        name = next(name for name in _numbered(wanted) if name not in self._taken)
        self._taken.add(name)
        self.names.append(Named(name, self._document.place(path), field_name(path)))
        return name

    def _warn_of_secrets(self, items: Sequence[Item]) -> None:
        """Once for each name."""
        if self._settings.digest_values:
            return
        secret = {item.name: item for item in reversed(items) if _is_readable(item) and _is_secret(item)}
        for name, item in secret.items():
            message = (
                f"the values of {name!r} may be secret, and stand in the keys of Redis as they are; "
                "`digest_values: true` among the settings keeps digests, which no gateway shares"
            )
            self.report.warning((*item.path, item.kind), message)


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _is_readable(item: Item) -> bool:
    """Whether its values are what a client sends, and not an address or the name of a consumer."""
    return item.sort in ("header", "param", "cookie")


def _is_secret(item: Item) -> bool:
    """By the name alone: of cookies many hold nothing but a language. Paths come with their queries."""
    if item.sort == "header" and item.name.lower() in PSEUDO:
        return item.name.lower() == ":path"
    return is_secret(f"header:{item.name}")
