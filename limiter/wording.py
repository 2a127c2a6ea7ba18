"""Numbers and refusals in words for people."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from limiter.decisions import Refusal
from limiter.meters import NANO
from limiter.rules import Limit

NOUNS: Mapping[str, str] = {
    "requests": "requests",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
    "total_tokens": "tokens",
    "io_tokens": "input and output tokens",
    "weighted_tokens": "weighted tokens",
}
"""Meter → what it counts. `cost` is money."""

_CENT = Decimal("0.01")
_SPANS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def money(nano: int, *, exact: bool = False) -> str:
    """Dollars from billionths: `$1,234.50`, `$0.0046`. Two decimals; more where two digits, or all of them, need it."""
    value = Decimal(nano) / NANO
    if not exact:
        digits = _CENT if abs(value) >= 1 or not value else Decimal(1).scaleb(min(-2, value.adjusted() - 1))
        value = value.quantize(digits, ROUND_HALF_EVEN)
    whole, _, decimals = f"{value:,f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"


def quantity(meter: str, value: int, *, exact: bool = False) -> str:
    """`$5.02` or `1,204`, without the noun."""
    return money(value, exact=exact) if meter == "cost" else f"{value:,}"


def _counted(limit: Limit, value: int, *, exact: bool = False) -> str:
    """An amount of the limit's meter, without the noun."""
    if limit.meter == "cost" and limit.scale > 1:
        value = value * NANO // limit.scale
    if limit.scale == 1 or limit.meter == "cost":
        return quantity(limit.meter, value, exact=exact)
    whole, _, decimals = f"{Decimal(value) / limit.scale:,f}".partition(".")
    return f"{whole}.{decimals}".rstrip("0").rstrip(".") if decimals else whole


def allowance(limit: Limit) -> str:
    """`$5.00 per day`, `200,000 tokens per minute`."""
    return f"{_counted(limit, limit.amount, exact=True)}{_noun(limit.meter)} per {limit.window}"


def duration(seconds: int) -> str:
    """The two largest units: `3 h 12 min`, `45 s`."""
    parts: list[str] = []
    for unit, size in _SPANS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def instant(milliseconds: int) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refused(refusal: Refusal) -> str:
    """Why a request was refused, and when it may pass."""
    limit = refusal.limit
    name = f'ai-limit: limit "{limit.name}"'
    if limit.amount < 1:
        return f"{name} lets nothing pass: {allowance(limit)}"
    needed = f"{_counted(limit, refusal.need)}{_noun(limit.meter)}"
    if refusal.impossible:
        whole = f"{_counted(limit, limit.amount, exact=True)} per {limit.window}"
        return (
            f"{name}: this request may need up to {needed}, more than the whole limit of {whole}; "
            "lower max_tokens or raise the limit"
        )
    how = "used" if limit.reserve == "none" else "used or reserved"
    text = f"{name} reached: {_counted(limit, refusal.used)} of {allowance(limit)} {how}"
    if limit.reserve != "none" and limit.meter != "requests":
        text += f", and this request may need {'up to' if limit.reserve == 'maximum' else 'about'} {needed}"
    when = "has room again at" if limit.window.kind == "sliding" else "resets at"
    again = instant(refusal.now + refusal.retry_after * 1000)
    return f"{text}; {when} {again} (in {duration(refusal.retry_after)})"


def _noun(meter: str) -> str:
    if meter == "cost":
        return ""
    # A custom unit goes by the last part of its name: `header:x-kong-limit:videos`.
    return f" {NOUNS.get(meter) or meter.rpartition(':')[2]}"
