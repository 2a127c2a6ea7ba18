"""A whole configuration: what all its documents say together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from limiter.config.notices import Notice, Place
from limiter.rules import Policy
from limiter.settings import Settings

Key = tuple[str, ...]
"""`("store",)`, `("providers", "127.0.0.1:9000")`, `("limits", "daily")`."""

_NOWHERE: Mapping[Key, Place] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Equal to another when policy and settings are."""

    policy: Policy
    settings: Settings
    warnings: tuple[Notice, ...] = field(default=(), compare=False)
    files: tuple[Path, ...] = field(default=(), compare=False)
    """All that was read; a folder itself, too, as a new file in it changes the configuration."""
    places: Mapping[Key, Place] = field(default=_NOWHERE, compare=False, repr=False)
    """Where each setting and limit stands, for what only the running program can find wrong with it."""
