"""A plugin's condition, ready to run."""

from dataclasses import dataclass, field

from limiter.dimensions import is_secret
from limiter.facts import Facts
from limiter.kong.conditions.compiling import Compiler
from limiter.kong.conditions.entities import Entities
from limiter.kong.conditions.syntax import Call, Literal, parse
from limiter.kong.conditions.tokens import ConditionError
from limiter.kong.conditions.values import Evaluate, Failed, Run, TooLong, flag

LONGEST = 1024
"""Characters."""


@dataclass(frozen=True, slots=True)
class Expression:
    """The condition of a plugin instance. It is compiled once."""

    text: str = field(repr=False)
    """May hold secrets, where it compares keys."""
    secret: bool = field(compare=False)
    """It reads fields that may let somebody in."""
    on_failure: bool = field(compare=False)
    """What it comes to for requests for which it fails."""
    evaluate: Evaluate = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """
        Raises:
            ConditionError: it is none, or names what is not known here.
        """
        if len(text) > LONGEST:
            raise ConditionError(LONGEST, f"longer than {LONGEST} characters")
        node, on_failure = parse(text), True
        if isinstance(node, Call) and node.of is None and node.name == "default":
            match node.arguments:
                case inner, Literal(bool(fallback)):
                    node, on_failure = inner, fallback
                case _:
                    raise ConditionError(node.at, "default() takes an expression, and true or false")
        compiler = Compiler()
        evaluate = compiler.condition(node)
        named = (name.removeprefix("http.").replace(".", ":", 1) for name in compiler.named)
        return cls(text, any(map(is_secret, named)), on_failure, evaluate)


@dataclass(frozen=True, slots=True)
class Met:
    """Tells for which requests a condition is met."""

    expression: Expression
    entities: Entities = field(repr=False)

    def __call__(self, facts: Facts) -> bool:
        try:
            return flag(self.expression.evaluate(Run(facts, self.entities)))
        except Failed:
            return self.expression.on_failure
        except TooLong:
            return True

    def __str__(self) -> str:
        """In one line, and without secrets."""
        if self.expression.secret:
            return "a condition on secrets is met"
        words = " ".join(self.expression.text.split())
        return "".join(letter if letter.isprintable() else "?" for letter in words)
