"""Ledgers: the stores that rules name beside the one of the native dialect."""

from dataclasses import dataclass

from limiter.redis_settings import RedisSettings
from limiter.settings import OnStoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A store and how it is kept. Rules with equal ledgers share their counters."""

    store: str | RedisSettings = ""
    """A URL as in `settings.Settings.store`; empty: the store of the native dialect, kept in another manner."""
    on_error: OnStoreError = "local"
    timeout: float = 2.0
    """Seconds that a request waits for the store."""
    sync_rate: float = 0
    """Seconds between two exchanges of what was counted here and elsewhere; 0: each booking goes to the store, and is
    known to all, at once. Negative: nothing is ever exchanged."""

    @property
    def place(self) -> str:
        """Where its counters are, whatever the manner in which they are kept."""
        if isinstance(self.store, str):
            return self.store
        return f"{self.store}/{self.store.database}"
