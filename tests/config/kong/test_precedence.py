"""Which plugin instance runs: Kong's twelve levels, as rules select them."""

from itertools import combinations

from limiter.config.documents import Document
from limiter.config.kong.declaration import Declaration, Plugin, Source
from limiter.config.kong.precedence import LEVELS, conditions, instances, level, parts
from limiter.facts import Facts
from limiter.kong.entities import Group, Scope
from limiter.rules import Choice, Limit, Policy, Rule
from limiter.selection import Selector
from limiter.windows import Window

NAME = "ai-rate-limiting-advanced"
SOURCE = Source(Document({}, "case.yaml", {}), ())
GROUPS = (Group(id="g1", name="zoo"), Group(id="g2", name="ark"))
EVERYTHING = {"service": "s", "route": "r", "consumer": "c", "group": "g1"}
WINDOW = Window("fixed", 1, "minute")


def plugin(scope: Scope, label: str = "") -> Plugin:
    return Plugin(name=NAME, config={}, id=label, instance_name=label, scope=scope, source=SOURCE)


def scoped(level_parts: frozenset[str]) -> Scope:
    return Scope(**{name: EVERYTHING[name] for name in level_parts})


def declared(*plugins: Plugin) -> Declaration:
    return Declaration(groups=GROUPS, plugins=plugins)


def chosen(declaration: Declaration, facts: Facts) -> list[str]:
    """The instances whose limits apply, by rules as builders make them."""
    rules: list[Rule] = []
    for instance in instances(declaration, NAME):
        limit = Limit(instance.plugin.label, "requests", 1, WINDOW)
        rules.append(Rule((), instance.conditions, (instance.choice,)))
        rules.append(Rule((limit,), instance.conditions, (instance.choice,)))
    return [plan.limit.name for plan in Selector(Policy(tuple(rules))).select(facts)]


FACTS = Facts(consumer_id="c", groups=("zoo",), service="s", route="r")


def test_there_are_twelve_levels() -> None:
    """In the order of Kong's documentation; never a consumer and a group."""
    assert len(set(LEVELS)) == 12
    assert level(Scope()) == 11
    assert [level(scoped(each)) for each in LEVELS] == list(range(12))
    assert all(not {"consumer", "group"} <= each for each in LEVELS)


def test_the_most_telling_scope_runs() -> None:
    """Of any two instances that fit a request, the one of the higher level, in whatever order they are declared."""
    for (first, better), (second, worse) in combinations(enumerate(LEVELS), 2):
        one, other = plugin(scoped(better), f"level {first}"), plugin(scoped(worse), f"level {second}")

        assert chosen(declared(one, other), FACTS) == [f"level {first}"]
        assert chosen(declared(other, one), FACTS) == [f"level {first}"]


def test_one_instance_runs() -> None:
    """With all twelve, only the first; without what it asks for, the next."""
    every = declared(*(plugin(scoped(each), str(number)) for number, each in enumerate(LEVELS)))

    assert chosen(every, FACTS) == ["0"]
    assert chosen(every, Facts(groups=("zoo",), service="s", route="r")) == ["1"]
    assert chosen(every, Facts(consumer_id="c", route="r")) == ["2"]
    assert chosen(every, Facts(service="other", route="r")) == ["9"]
    assert chosen(every, Facts()) == ["11"]


def test_a_request_outside_of_all_scopes() -> None:
    """Is not limited."""
    assert chosen(declared(plugin(Scope(service="s"), "s")), Facts(service="other")) == []


def test_of_several_groups_the_first_by_name_counts() -> None:
    """Whichever was declared first."""
    zoo, ark = plugin(Scope(group="g1"), "zoo"), plugin(Scope(group="g2"), "ark")

    assert chosen(declared(zoo, ark), Facts(groups=("ark", "zoo"))) == ["ark"]
    assert chosen(declared(zoo, ark), Facts(groups=("zoo",))) == ["zoo"]


def test_instances_share_one_choice() -> None:
    """Other plugins of the declaration have another one."""
    found = instances(declared(plugin(Scope(), "b"), plugin(Scope(route="r"), "a")), NAME)

    assert [each.plugin.label for each in found] == ["a", "b"]
    assert [each.choice for each in found] == [Choice(f"kong:{NAME}", 0), Choice(f"kong:{NAME}", 1)]
    assert instances(declared(plugin(Scope())), "other") == ()


def test_conditions_name_groups_by_name() -> None:
    """As facts have them."""
    found = conditions(Scope(route="r", group="g2"), declared())

    assert {condition.dimension: set(condition.values) for condition in found} == {"route": {"r"}, "group": {"ark"}}
    assert parts(Scope()) == frozenset()
