"""Instances of ai-rate-limiting-advanced as rules. What is decided where Kong says nothing: `limiter.kong.airla`."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from limiter.config.adapter import Adapted, Named, Setting
from limiter.config.explain import hint
from limiter.config.kong import precedence
from limiter.config.kong.airla_limits import Budget, Draft, Part
from limiter.config.kong.airla_naming import Naming
from limiter.config.kong.airla_policies import policies
from limiter.config.kong.airla_prices import LIST_PRICES, OPTION, of_prices, proxying
from limiter.config.kong.declaration import Declaration, Plugin, Record
from limiter.config.kong.plugin_schemas import AIRLA
from limiter.config.kong.precedence import Instance
from limiter.config.kong.redis import redis_settings
from limiter.config.notices import Notice
from limiter.kong.airla.costs import DeclaredCosts
from limiter.kong.airla.names import CUSTOM_COST, REQUEST_PROMPT, ours
from limiter.kong.airla.voice import AirlaVoice
from limiter.kong.values import header, within
from limiter.ledgers import Ledger
from limiter.lua.function import compile_check
from limiter.rules import Condition, Limit, Rule

RETRY_AFTER = f"{OPTION}retry-after"
SHARED = ("strategy", "redis", "sync_rate", "dictionary_name")
"""Fields on which instances of one namespace must agree."""
DICTIONARY = "kong_rate_limiting_counters"
FUNCTIONS = {REQUEST_PROMPT: "request_prompt_count_function", CUSTOM_COST: "custom_cost_count_function"}
"""Name in `llm_providers` → field of the function."""
POSSIBLE = range(200, 600)
"""HTTP statuses of answers that end an exchange."""


def rules(declaration: Declaration) -> Adapted:
    """The rules of all instances, in Kong's order of precedence."""
    work = _Work(declaration)
    instances = precedence.instances(declaration, AIRLA)
    for instance in instances:
        work.add(instance, alone=len(instances) == 1)
    return Adapted(
        rules=tuple(work.rules),
        names=tuple(work.names.values()),
        settings=tuple(work.settings),
        warnings=tuple(work.warnings),
        problems=tuple(work.problems),
    )


_compiled = lru_cache(maxsize=256)(compile_check)


@dataclass(slots=True)
class _Work:
    declaration: Declaration
    rules: list[Rule] = field(default_factory=list)
    names: dict[str, Named] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    problems: list[Notice] = field(default_factory=list)
    costs: DeclaredCosts = field(init=False)
    _naming: Naming = field(default_factory=Naming)
    _namespaces: dict[str, Plugin] = field(default_factory=dict)
    _ledgers: dict[Ledger, Ledger] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.costs = DeclaredCosts(tuple(proxying(self.declaration)))

    def add(self, instance: Instance, *, alone: bool) -> None:
        plugin = instance.plugin
        ledger = self._ledger(plugin)
        self._agree(plugin)
        self._compile(plugin)
        self.warnings += _remarks(plugin, self.costs)
        if ledger is None:
            return
        prices = None if LIST_PRICES in plugin.tags else self.costs
        draft = Draft(plugin, self._naming.base(plugin, self.declaration), prices)
        parts = policies(draft, self.declaration) if plugin.config["policies"] else [_providers(draft)]
        voice = _voice(plugin, draft)
        choices = () if alone else (instance.choice,)
        if not alone:
            # Whether or not any of its policies matches, no other instance runs for what this one is attached to.
            self.rules.append(Rule((), instance.conditions, choices))
        self.rules += [
            Rule(
                part.limits,
                (*instance.conditions, *part.conditions),
                (*choices, *part.choices),
                voice,
                self._ledgers.setdefault(ledger, ledger),
                instance.when,
            )
            for part in parts
        ]
        for named in draft.names:
            self.names.setdefault(named.name, named)
        for function in draft.functions.values():
            place = plugin.source.place("config")
            self.settings.append(Setting(("functions", function.name), function, place, "config"))
        self.warnings += draft.warnings
        self.problems += draft.problems

    def _ledger(self, plugin: Plugin) -> Ledger | None:
        config = plugin.config
        rate = float(config["sync_rate"] or 0)
        match config["strategy"]:
            case "local":
                return Ledger(store="memory:")
            case "cluster":
                return Ledger(sync_rate=rate)
        try:
            settings = redis_settings(config["redis"])
        except ValueError as error:
            self.problems.append(plugin.source.notice(str(error), "config", "redis"))
            return None
        self.warnings += [plugin.source.notice(remark, "config", "redis") for remark in settings.remarks]
        waits = max(settings.timeouts.connect, settings.timeouts.send, settings.timeouts.read)
        return Ledger(store=settings, timeout=waits, sync_rate=rate)

    def _compile(self, plugin: Plugin) -> None:
        for name in FUNCTIONS.values():
            source = plugin.config[name]
            if source and (problem := _compiled(source)):
                message = f"schema violation (config.{name}: {problem})"
                self.problems.append(plugin.source.notice(message, "config", name))

    def _agree(self, plugin: Plugin) -> None:
        namespace = plugin.config["namespace"]
        first = self._namespaces.setdefault(namespace, plugin) if namespace else plugin
        for name in SHARED:
            if plugin.config[name] != first.config[name]:
                message = f"differs from the instance at {first.source.place()}, which has the same namespace"
                self.problems.append(plugin.source.notice(message, "config", name))


def _providers(draft: Draft) -> Part:
    """The limits of `llm_providers`: all are checked, those of the provider that served are charged."""
    config = draft.config
    per = _per(config)
    limits: list[Limit] = []
    for index, provider in enumerate(config["llm_providers"]):
        name = provider["name"]
        only = None if name in FUNCTIONS else Condition("provider", ours(name))
        for number, (amount, seconds) in enumerate(zip(provider["limit"], provider["window_size"], strict=True)):
            at = ("config", "llm_providers", index, "window_size", number)
            window = draft.window(config["window_type"], seconds, at)
            if window is None:
                continue
            budget = Budget(name, amount, window, at)
            if name in FUNCTIONS:
                limits.append(draft.counted(budget, FUNCTIONS[name], per))
            else:
                limits.append(draft.metered(budget, config["tokens_count_strategy"], per, only=only))
    return Part(tuple(limits))


def _per(config: Record) -> tuple[str, ...]:
    """What counters are kept by: what identifies a client, or its address."""
    match config["identifier"]:
        case "ip":
            return ("ip",)
        case "consumer-group":
            return ()
        case "header":
            return (f"{header(config['header_name'])}|ip",)
        case "path":
            return (f"{within(config['path'])}|ip",)
        case identifier:
            return (
                {"consumer": "consumer_id|consumer|ip", "credential": "credential_id|ip", "service": "service|ip"}[
                    identifier
                ],
            )


def _voice(plugin: Plugin, draft: Draft) -> AirlaVoice:
    config = plugin.config
    return AirlaVoice(
        labels=draft.labels,
        status=int(config["error_code"]) if config["error_code"] in POSSIBLE else 429,
        message=config["error_message"],
        names_providers=not config["error_hide_providers"],
        by_policy=bool(config["policies"]),
        hides=config["hide_client_headers"],
        jitter=math.ceil(config["retry_after_jitter_max"]),
        plain=RETRY_AFTER in plugin.tags,
    )


def _remarks(plugin: Plugin, costs: DeclaredCosts) -> Iterator[Notice]:
    """What has no effect, or not the one that it seems to have."""
    config, notice = plugin.config, plugin.source.notice
    names = {provider["name"] for provider in config["llm_providers"] or ()}
    if config["llm_format"]:
        yield notice("has no effect: the format of each request is recognised", "config", "llm_format")
    if config["dictionary_name"] != DICTIONARY:
        yield notice("has no effect: counters in memory need no named dictionary", "config", "dictionary_name")
    if config["policies"] and config["identifier"] not in ("consumer", "consumer-group"):
        yield notice("has no effect with policies: partition_by keeps counters apart", "config", "identifier")
    for name, function in FUNCTIONS.items():
        if config[function] and name not in names:
            yield notice(f"is never called: no entry of llm_providers is named {name}", "config", function)
    if config["disable_penalty"] and (REQUEST_PROMPT not in names or config["window_type"] != "sliding"):
        message = f"has no effect without sliding windows of {REQUEST_PROMPT}: other refusals count nothing anyway"
        yield notice(message, "config", "disable_penalty")
    if config["llm_providers"] is not None and not config["llm_providers"]:
        yield notice("limits nothing, as it is empty", "config", "llm_providers")
    if config["error_code"] not in POSSIBLE:
        yield notice("is no status that ends a request: 429 is answered", "config", "error_code")
    if LIST_PRICES not in plugin.tags:
        for path in list(_counting_cost(config))[:1]:
            for message in of_prices(costs):
                yield notice(message, "config", *path)
    unknown = [tag for tag in plugin.tags if tag.startswith(OPTION) and tag not in (LIST_PRICES, RETRY_AFTER)]
    yield from (
        notice(f"found the unknown tag {tag!r}{hint((LIST_PRICES, RETRY_AFTER), tag)}", "tags") for tag in unknown
    )


def _counting_cost(config: Record) -> Iterable[tuple[str | int, ...]]:
    """Paths of the strategies that need prices."""
    if config["llm_providers"]:
        return [("tokens_count_strategy",)] if config["tokens_count_strategy"] == "cost" else []
    return [
        ("policies", index, "limits", number, "tokens_count_strategy")
        for index, policy in enumerate(config["policies"] or ())
        for number, limit in enumerate(policy["limits"] or ())
        if limit["tokens_count_strategy"] == "cost"
    ]
