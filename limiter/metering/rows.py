"""Measured exchanges as JSON, one a line."""

from decimal import Decimal
from typing import Any

import msgspec

from limiter.metering.meter import Metered
from limiter.meters import Usage

_NO_COUNTS: dict[str, int | None] = dict.fromkeys(
    (
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        *("cached_tokens", "cache_creation_tokens", "reasoning_tokens"),
    )
)


def row(metered: Metered) -> bytes:
    """Counts are the provider's word; an estimate stands apart from them, in `estimated_tokens`.

    Money is a decimal number of at most nine places, and exact.
    """
    fields: dict[str, Any] = {
        "id": metered.id,
        "provider": metered.provider or None,
        "model": metered.model or None,
        "streaming": metered.streaming,
        **(_NO_COUNTS if metered.reported is None else _counts(metered.reported)),
        "cost_usd": None if metered.priced is None else msgspec.Raw(dollars(metered.priced.cost).encode()),
        "price_source": metered.source or None,
        "price_name": (metered.priced.detail if metered.priced else "") or None,
        "endpoint": metered.endpoint or None,
        "estimated": metered.estimated,
    }
    if metered.estimated and metered.reported is None and metered.charged is not None:
        fields["estimated_tokens"] = {
            "prompt_tokens": metered.charged.prompt_tokens,
            "completion_tokens": metered.charged.completion_tokens,
        }
    if metered.problem:
        fields["problem"] = metered.problem
    return msgspec.json.encode(_sendable(fields))


def dollars(nano: int) -> str:
    """Billionths of a dollar as dollars, without needless zeros: `0.000146625`, `12.5`, `0`."""
    text = f"{Decimal(nano).scaleb(-9):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _counts(usage: Usage) -> dict[str, int | None]:
    return {name: getattr(usage, name) for name in _NO_COUNTS}


def _sendable(fields: dict[str, Any]) -> dict[str, Any]:
    """Lone surrogates of damaged names have no UTF-8."""
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in fields.items()
    }
