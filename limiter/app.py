"""The composition root: from a configuration on disk to an engine that decides, and again when the files change."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import platformdirs

from limiter.config import SUFFIXES, ConfigError, Configuration, Notice, Place, load
from limiter.consumers import Roll
from limiter.engine import Engine
from limiter.kong.passage import Passage
from limiter.ledgers import Ledger
from limiter.prices import Prices
from limiter.replies import NativeVoice, Replies
from limiter.stores.contract import Clock, Store, StoreError, wall_clock
from limiter.stores.fallback import FallbackStore
from limiter.stores.memory import MemoryStore
from limiter.stores.synced import SyncedStore
from limiter.stores.urls import open_store
from limiter.usage import forecast
from limiter.usage.provider_table import MAPPABLE, PROVIDER_NAMES
from limiter.usage.providers import Directory

CONFIG_VARIABLE = "AI_LIMIT_CONFIG"
STORE_VARIABLE = "AI_LIMIT_STORE"
DATA_VARIABLE = "AI_LIMIT_DATA_DIR"


def new_id() -> str:
    """An id that no other proxy on the same store will ever draw."""
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the configuration and the counters are, as options and environment say."""

    config: Path
    store: str
    """URL; empty: as the configuration says, else a SQLite file in `data`."""
    data: Path

    @classmethod
    def find(cls, environment: Mapping[str, str], default: Path, config: str = "", store: str = "") -> "Sources":
        """Options come before the environment, and both before the default configuration."""
        data = environment.get(DATA_VARIABLE) or platformdirs.user_data_dir("ai-limit", appauthor=False)
        return cls(
            config=Path(config or environment.get(CONFIG_VARIABLE) or default).expanduser(),
            store=store or environment.get(STORE_VARIABLE, ""),
            data=Path(data).expanduser(),
        )


class Running(NamedTuple):
    """A configuration in force. Exchanges keep the one they were admitted by until they are settled."""

    configuration: Configuration
    directory: Directory
    engine: Engine
    prices: Prices
    replies: Replies
    roll: Roll
    passage: Passage
    stores: Mapping[Ledger | None, Store]
    """Under None the one of the native dialect."""
    store_url: str
    """Of that one."""


class App:
    """Holds what is in force, and replaces it when the files change to something valid."""

    def __init__(self, sources: Sources, clock: Clock = wall_clock) -> None:
        """Loads the configuration and opens the store.

        Raises:
            ConfigError: with file, line, field, found and expected.
            StoreError: the store cannot be opened.
        """
        self._sources = sources
        self._clock = clock
        self._retired: list[Running] = []
        self._unused: list[Store] = []
        """Opened for a configuration that turned out to be wrong."""
        self.running = self._compose(load(sources.config), None)
        self._seen = self._stamps()

    def reload(self) -> str:
        """Puts changed files in force; what is invalid leaves the old policy as it is. Blocking: call it off the loop.

        Returns:
            What happened, for people; empty when no file changed.
        """
        stamps = self._stamps()
        if stamps == self._seen:
            return ""
        self._seen = stamps
        before = self.running
        try:
            after = self._compose(load(self._sources.config), before)
        except (ConfigError, StoreError) as problem:
            return f"the changed configuration is not valid, the old one stays in force:\n{problem}"
        self._retired.append(before)
        self.running = after
        # A file that changed again since it was read must differ at the next look, so its first stamp is kept.
        self._seen = {**self._stamps(), **stamps}
        return "\n".join([f"the changed configuration is in force: {self.summary}", *map(str, self.warnings)])

    @property
    def summary(self) -> str:
        """One line for the log: how much is limited, from where, counted where."""
        configuration = self.running.configuration
        count = sum(len(rule.limits) for rule in configuration.policy.rules)
        limits = f"{count} limit{'' if count == 1 else 's'}"
        return f"{limits} from {self._sources.config}, counters in {shown(self.running.store_url)}"

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What is doubtful about the configuration in force."""
        configuration = self.running.configuration
        return (*configuration.warnings, *_unknown_providers(configuration), *_closed_door(configuration))

    def warm(self) -> None:
        """Loads price data and vocabularies before the first request needs them. Blocking: about a second of CPU."""
        self.running.prices.warm()
        forecast.prepare()

    async def renew(self) -> None:
        """Extends the leases of what runs, and lets go of policies that no exchange uses any more.

        Raises:
            StoreError: see `Engine.renew`.
        """
        problem: StoreError | None = None
        for running in (*self._retired, self.running):
            try:
                await running.engine.renew()
            except StoreError as failed:
                problem = failed  # The others' leases must not run out for it.
        for running in [old for old in self._retired if old.engine.running == 0]:
            self._retired.remove(running)
            used = {id(store) for other in (*self._retired, self.running) for store in other.stores.values()}
            for store in running.stores.values():
                if id(store) not in used:
                    await store.close()
        while self._unused:
            await self._unused.pop().close()
        if problem:
            raise problem

    async def close(self) -> None:
        """Writes what is waiting and closes every store."""
        in_use = [store for running in (*self._retired, self.running) for store in running.stores.values()]
        in_use += self._unused
        for store in {id(store): store for store in in_use}.values():
            await store.close()

    def _compose(self, configuration: Configuration, before: Running | None) -> Running:
        settings = configuration.settings
        if unknown := [host for host, provider in settings.providers.items() if provider not in MAPPABLE]:
            raise ConfigError(self._misfit(configuration, host, settings.providers[host]) for host in unknown)
        url = self._sources.store or settings.store or f"sqlite:///{(self._sources.data / 'counters.db').absolute()}"
        stores = self._stores(configuration, url, before)
        prices = Prices(settings.prices, settings.on_unknown_price, settings.models)
        engine = Engine(configuration.policy, stores, prices, self._clock, new_id)
        replies = Replies(NativeVoice(settings.rate_limit_headers))
        roll = Roll((*settings.consumers, *settings.gateway.consumers))
        passage = Passage(settings.gateway)
        directory = Directory(settings.providers, settings.gateway.destinations)
        return Running(configuration, directory, engine, prices, replies, roll, passage, stores, url)

    def _stores(self, configuration: Configuration, url: str, before: Running | None) -> Mapping[Ledger | None, Store]:
        """The store of each ledger. Those that were open before stay, with all that they count or owe."""
        settings = configuration.settings
        ledgers: dict[Ledger | None, Ledger] = {
            rule.ledger: replace(rule.ledger, store=rule.ledger.store or url)
            for rule in configuration.policy.rules
            if rule.ledger is not None
        }
        ledgers[None] = Ledger(store=url, on_error=settings.on_store_error, timeout=settings.store_timeout)
        known = dict(before.stores) if before is not None else {}
        if before is not None and url != before.store_url:
            known = {ledger: store for ledger, store in known.items() if ledger is not None and ledger.store}
        stores = {ledger: known[ledger] for ledger in ledgers if ledger in known}
        for ledger, opening in ledgers.items():
            if ledger in stores:
                continue
            try:
                stores[ledger] = self._opened(opening)
            except (ValueError, StoreError) as problem:
                self._unused += [store for opened, store in stores.items() if opened not in known]
                if isinstance(problem, StoreError):
                    raise
                place = configuration.places.get(("store",), Place(STORE_VARIABLE, 0))
                if ledger is not None:
                    place = Place(str(self._sources.config), 0)
                raise ConfigError([Notice(place, "", str(problem))]) from problem
        own = stores[None]
        if isinstance(own, FallbackStore):
            own.adjust(settings.on_store_error, settings.store_timeout)
        return stores

    def _opened(self, ledger: Ledger) -> Store:
        """The store and what is done while it is away; memory is never away.

        Raises:
            ValueError: no such store.
            StoreError: it cannot be opened.
        """
        if ledger.sync_rate < 0:
            return MemoryStore(self._clock)
        store = open_store(ledger.store, clock=self._clock)
        if isinstance(store, MemoryStore):
            return store
        if ledger.sync_rate:
            return SyncedStore(store, ledger.sync_rate, self._clock, ledger.timeout)
        return FallbackStore(store, ledger.on_error, self._clock, ledger.timeout)

    def _misfit(self, configuration: Configuration, host: str, found: str) -> Notice:
        place = configuration.places.get(("providers", host), Place(str(self._sources.config), 0))
        return Notice(place, "settings.providers", f"found {found!r}, expected one of {', '.join(sorted(MAPPABLE))}")

    def _stamps(self) -> Mapping[Path, tuple[int, int]]:
        """Modification time and size of the configuration and of each file in it; a missing one has zeros."""
        files = {self._sources.config, *self.running.configuration.files}
        if self._sources.config.is_dir():
            files.update(path for path in self._sources.config.iterdir() if path.suffix in SUFFIXES)
        return {path: _stamp(path) for path in files}


def _closed_door(configuration: Configuration) -> Iterator[Notice]:
    """Consumers that are required where none can prove to be one."""
    settings = configuration.settings
    if settings.require_consumer and not (settings.consumers or settings.gateway.consumers or settings.trusted_peers):
        place = configuration.places.get(("require_consumer",), Place("", 0))
        yield Notice(place, "settings.require_consumer", "lets nobody pass, as there are no consumers")


def _unknown_providers(configuration: Configuration) -> Iterator[Notice]:
    """Limits that match a provider which the provider table does not have, so that they never apply."""
    for rule in configuration.policy.rules:
        named = {
            value for condition in rule.conditions if condition.dimension == "provider" for value in condition.values
        }
        for name in sorted(named - set(PROVIDER_NAMES)):
            message = f"found {name!r}, which is no known provider: {', '.join(sorted(PROVIDER_NAMES))}"
            for limit in rule.limits:
                place = configuration.places.get(("limits", limit.name), Place("", 0))
                yield Notice(place, "match.provider", message)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def shown(url: str) -> str:
    """A store's URL without its user, its password and its parameters, which may hold another."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.partition('?')[0].rpartition('@')[2]}"
