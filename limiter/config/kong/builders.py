"""What turns a declaration's plugins into rules: one builder a plugin, each in a module of its own."""

from typing import Protocol

from limiter.config.adapter import Adapted
from limiter.config.kong import airla, response_ratelimiting
from limiter.config.kong.declaration import Declaration


class Builder(Protocol):
    """Makes the rules of all instances of one plugin."""

    def __call__(self, declaration: Declaration) -> Adapted:
        """The rules, with names, settings, warnings and problems. Never raises."""


BUILDERS: tuple[Builder, ...] = (airla.rules, response_ratelimiting.rules)
"""In the order in which Kong runs their plugins."""
