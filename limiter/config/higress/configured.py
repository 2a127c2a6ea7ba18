"""One configuration of the plugin, as the console holds it and as it stands inside a `WasmPlugin`."""

from typing import Any

from limiter.config.explain import Report, hint, shown
from limiter.config.higress.coercion import is_whole, number, text
from limiter.config.higress.items import rule_items
from limiter.config.higress.plugin import MESSAGE, STATUS, Item, Plugin, Threshold
from limiter.config.higress.redis import redis
from limiter.config.higress.thresholds import UNITS, threshold
from limiter.config.notices import Steps

FIELDS = (
    "rule_name",
    "global_threshold",
    "rule_items",
    "rejected_code",
    "rejected_msg",
    "redis",
    "show_limit_quota_header",
    "mode",
)
MODES = ("first_match", "overlay")
"""Generations B and C. No gateway knows the field: there its version decides."""
STATUSES = range(200, 600)


def plugin(config: object, path: Steps, report: Report) -> Plugin | None:
    """The configuration; None where something is wrong, which the report says."""
    if not isinstance(config, dict):
        report.expected(path, config, "a mapping with rule_name, redis and rule_items or global_threshold")
        return None
    before = len(report.problems)
    for name in config:
        if name not in FIELDS:
            report.warning((*path, name), f"unknown key, which the gateway ignores{hint(FIELDS, name)}")
    server = redis(config, path, report)
    if "rule_name" not in config:
        report.problem(path, "found no rule_name, expected a text (missing rule_name in config)")
    overlay = _overlay(config, path, report)
    whole: Threshold | None = None
    listed: tuple[Item, ...] = ()
    both = "global_threshold" in config and "rule_items" in config and not overlay
    if both:
        theirs = "'global_threshold' and 'rule_items' cannot be set at the same time"
        report.problem(path, f"found global_threshold and rule_items, expected one, or mode: overlay ({theirs})")
    elif "global_threshold" not in config and "rule_items" not in config:
        theirs = "at least one of 'global_threshold' or 'rule_items' must be set"
        report.problem(path, f"found no limit, expected rule_items or global_threshold ({theirs})")
    if "global_threshold" in config and not (both and config["global_threshold"] is None):
        whole = _global(config["global_threshold"], (*path, "global_threshold"), report)
    if "rule_items" in config:
        listed = rule_items(config["rule_items"], (*path, "rule_items"), report, overlay=overlay)
    status = _status(config, path, report)
    if server is None or len(report.problems) > before:
        return None
    return Plugin(
        rule_name=text(config["rule_name"]),
        redis=server,
        path=path,
        overlay=overlay,
        whole=whole,
        items=listed,
        status=status,
        message=text(config["rejected_msg"]) if "rejected_msg" in config else MESSAGE,
        shows_quota=_quota(config, path, report),
    )


def _overlay(config: dict[str, Any], path: Steps, report: Report) -> bool:
    mode = config.get("mode", MODES[0])
    if mode not in MODES:
        report.expected((*path, "mode"), mode, " or ".join(MODES))
    return bool(mode == "overlay")


def _global(value: object, path: Steps, report: Report) -> Threshold | None:
    entry = value if isinstance(value, dict) else {}
    for name in entry:
        if name not in UNITS:
            report.warning((*path, name), f"unknown key, which the gateway ignores{hint(UNITS, name)}")
    return threshold(entry, path, report, "failed to parse global_threshold: ", None)


def _status(config: dict[str, Any], path: Steps, report: Report) -> int:
    if "rejected_code" not in config:
        return STATUS
    value = config["rejected_code"]
    status = number(value)
    if status not in STATUSES:
        report.expected((*path, "rejected_code"), value, "an HTTP status from 200 to 599")
    elif not is_whole(value):
        report.warning((*path, "rejected_code"), f"found {shown(value)}, which the gateway takes for {status}")
    return status


def _quota(config: dict[str, Any], path: Steps, report: Report) -> bool:
    value = config.get("show_limit_quota_header")
    if value is not None and not isinstance(value, bool):
        report.expected((*path, "show_limit_quota_header"), value, "true or false")
    return value is True
