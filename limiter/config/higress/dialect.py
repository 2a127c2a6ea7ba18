"""The entry of the table of dialects."""

from functools import partial
from typing import Any

from limiter.config.adapter import Adapted, Dialect
from limiter.config.documents import Document
from limiter.config.explain import Report
from limiter.config.higress.compiling import compiled
from limiter.config.higress.configured import FIELDS
from limiter.config.higress.resource import FLATTENED, MODE, flattened, is_resource, resource

SIGNS = (*(name for name in FIELDS if name != MODE), FLATTENED)
"""Keys that tell a plain configuration."""


def recognises(document: Document) -> bool:
    """A `WasmPlugin`, or a mapping with any field of the plugin."""
    data = document.data
    return is_resource(data) or (isinstance(data, dict) and not data.keys().isdisjoint(SIGNS))


def adapt(document: Document) -> Adapted:
    """Parses and checks now; the rules follow when the settings are known."""
    report = Report(document)
    data: dict[str, Any] = document.data
    parts = resource(data, report) if is_resource(data) else flattened(data, (), report)
    return Adapted(
        warnings=tuple(report.warnings), problems=tuple(report.problems), late=partial(compiled, document, parts)
    )


HIGRESS = Dialect("higress", "`rule_name:`, or `kind: WasmPlugin`", recognises, adapt)
