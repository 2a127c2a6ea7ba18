"""References to secrets that lie outside of a configuration: `{vault://env/NAME}`.

Of Kong's vaults only the one of environment variables can be looked into.
https://developer.konghq.com/how-to/store-secrets-as-env-variables/
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_REFERENCE = re.compile(r"\{vault://(?P<vault>[^/{}?#]+)(?:/(?P<path>[^{}?#]*))?[^{}]*\}")


class Resolved(NamedTuple):
    value: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Vaults:
    """The vaults that there are."""

    environment: Mapping[str, str] = field(repr=False)
    prefixes: Mapping[str, str] = field(default_factory=lambda: {"env": ""})
    """Of environment vaults: before the names of variables."""

    def resolve(self, reference: str) -> Resolved:
        """What a reference stands for: a variable, or one value of the JSON object in it.

        Names are in upper case, with underscores for dashes, as Kong has them.
        """
        found = _REFERENCE.fullmatch(reference)
        if not found or not found["path"]:
            return Resolved("", "not a reference such as {vault://env/NAME}")
        if found["vault"] not in self.prefixes:
            return Resolved("", f"the vault {found['vault']!r} cannot be read here, only {{vault://env/NAME}}")
        name, _, key = found["path"].partition("/")
        variable = (self.prefixes[found["vault"]] + name).upper().replace("-", "_")
        value = self.environment.get(variable)
        if value is None:
            return Resolved("", f"the environment variable {variable} is not set")
        return _inside(value, key, variable) if key else Resolved(value)


def _inside(text: str, key: str, variable: str) -> Resolved:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    inner = value.get(key) if isinstance(value, dict) else None
    if not isinstance(inner, str | int | float):
        return Resolved("", f"the environment variable {variable} holds no JSON object with the key {key!r}")
    return Resolved(str(inner))
