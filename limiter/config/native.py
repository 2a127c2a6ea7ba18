"""The dialect of this program: `settings:` and `limits:`."""

from typing import Any

from pydantic import ValidationError

from limiter.config import amounts
from limiter.config.adapter import Adapted, Named, Setting
from limiter.config.documents import Document
from limiter.config.explain import Report, shown
from limiter.config.laying import ContradictionError, lay
from limiter.config.matching import conditions
from limiter.config.notices import Steps, field_name
from limiter.config.schema import DOCUMENT_MODELS, LIMIT_MODELS, ConsumerEntry, DocumentEntry, LimitEntry, SettingsEntry
from limiter.kong.entities import Consumer, Credential
from limiter.meters import UNIT
from limiter.rules import Limit, Rule
from limiter.settings import Price
from limiter.units import FINE

KEYS = tuple(DocumentEntry.model_fields)
"""What a document of this dialect is told by."""


def recognises(document: Document) -> bool:
    """Whether any key is one of ours."""
    return isinstance(document.data, dict) and any(key in document.data for key in KEYS)


def adapt(document: Document) -> Adapted:
    """The rules and settings of a document; one rule for each limit."""
    report = Report(document)
    data: dict[str, Any] = document.data
    try:
        entry = DocumentEntry.model_validate(data)
    except ValidationError as error:
        report.invalid((), error, DOCUMENT_MODELS)
        # The limits are looked at all the same: everything that is wrong is said at once.
        limits = data.get("limits")
        entry = DocumentEntry(limits=limits if isinstance(limits, list) else [])
    zone = entry.settings.time_zone
    compiled = [_rule(item, ("limits", index), zone, report) for index, item in enumerate(entry.limits)]
    return Adapted(
        rules=tuple(rule for rule in compiled if rule),
        names=tuple(_names(entry.limits, document)),
        settings=tuple(_settings(entry.settings, report)),
        warnings=tuple(report.warnings),
        problems=tuple(report.problems),
    )


def _names(items: list[Any], document: Document) -> list[Named]:
    """Of limits with other problems as well, so that a name given twice is found at once."""
    paths = [
        (item["name"], ("limits", index, "name"))
        for index, item in enumerate(items)
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    ]
    return [Named(name, document.place(path), field_name(path)) for name, path in paths]


def _rule(item: object, path: Steps, default_zone: str, report: Report) -> Rule | None:
    match: Any = item.get("match") if isinstance(item, dict) else None
    rule_conditions = conditions(match, (*path, "match"), report) if isinstance(match, dict) else ()
    try:
        entry = LimitEntry.model_validate(item)
    except ValidationError as error:
        report.invalid(path, error, LIMIT_MODELS)
        return None
    amount = entry.amount
    written = item["amount"] if isinstance(item, dict) else None
    if not entry.meter and amount.meter == amounts.TOLD:
        report.expected((*path, "amount"), written, amounts.UNTOLD)
        return None
    if entry.meter and amount.meter != amounts.TOLD:
        report.expected((*path, "amount"), written, f"a number alone, as in 100 per day, of what {entry.meter} tells")
    if entry.meter and entry.reserve != "none":
        report.expected((*path, "reserve"), entry.reserve, "none, as only the answer tells what it counts")
    if entry.reserve != "none" and amount.meter == "requests":
        report.expected((*path, "reserve"), entry.reserve, "none, as a request is counted in full when it arrives")
    if entry.status is not None and entry.mode != "enforce":
        report.warning((*path, "status"), f"has no effect, as a limit in mode {entry.mode} refuses nothing")
    try:
        window = lay(amount.every, amount.unit, entry.window, entry.time_zone, default_zone)
    except ContradictionError as error:
        wish = (item if isinstance(item, dict) else {}).get(error.field)
        report.problem((*path, error.field), f"found {shown(wish)} with {amount.unit}s, expected {error}")
        return None
    limit = Limit(
        name=entry.name,
        meter=UNIT + entry.meter if entry.meter else amount.meter,
        amount=amount.number,
        window=window,
        per=entry.per,
        mode=entry.mode,
        reserve=entry.reserve,
        status=entry.status,
        scale=FINE if entry.meter else 1,
    )
    return Rule((limit,), rule_conditions)


def _consumer(entry: ConsumerEntry) -> Consumer:
    name = entry.name
    return Consumer(
        id=name,
        username=name,
        groups=entry.groups,
        keys=tuple(Credential(id=found, digest=found) for found in entry.keys),
        passwords=(Credential(id=entry.password, digest=entry.password, username=name),) if entry.password else (),
    )


SCALARS = (
    "store",
    "store_timeout",
    "on_store_error",
    "on_unknown_price",
    "rate_limit_headers",
    "require_consumer",
    "count",
    "on_redis_error",
    "digest_values",
)
"""Settings that are one value."""


def _settings(entry: SettingsEntry, report: Report) -> list[Setting]:
    found: list[tuple[tuple[str, ...], object, Steps]] = [
        ((name,), getattr(entry, name), (name,)) for name in SCALARS if name in entry.model_fields_set
    ]
    for index, provider in enumerate(entry.providers):
        found.append((("providers", provider.host), provider.provider, ("providers", index)))
    for index, price in enumerate(entry.prices):
        found.append((("prices", price.provider, price.model), Price(**price.model_dump()), ("prices", index)))
    for index, consumer in enumerate(entry.consumers):
        found.append((("consumers", consumer.name), _consumer(consumer), ("consumers", index)))
    for alias, model in entry.models.items():
        found.append((("models", alias), model, ("models", alias)))
    for service, address in entry.service_addresses.items():
        found.append((("service_addresses", service), address, ("service_addresses", service)))
    for index, network in enumerate(entry.trusted_peers):
        found.append((("trusted_peers", str(network)), network, ("trusted_peers", index)))
    place = report.document.place
    return [
        Setting(key, value, place(("settings", *path)), field_name(("settings", *path))) for key, value, path in found
    ]
