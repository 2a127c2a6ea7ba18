"""How a dialect speaks: what a refused client is answered, and what the headers of others tell.

A voice is part of the rules that it speaks for: a frozen value that holds what their configuration says of messages and
headers. Rules with equal voices speak together.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from limiter.facts import Facts

if TYPE_CHECKING:  # They know the rules, which know their voices.
    from limiter.decisions import Refusal, Standing

Fields = tuple[tuple[str, str], ...]
"""Header fields: names and values."""


class Answer(NamedTuple):
    """A response. The caller adds `content-length`."""

    status: int
    headers: Fields
    body: bytes


class Voice(Protocol):
    """Pure: everything that is said follows from the arguments."""

    def refuse(self, refusal: "Refusal", *, streaming: bool) -> Answer:
        """The answer to a refused request, with all header fields that tell of the limits of this voice.

        Args:
            streaming: a streamed answer was asked for.
        """
        ...

    def fields(self, standings: "Sequence[Standing]", now: int) -> Fields:
        """What a response says of the limits of this voice; also one that another voice refused.

        Args:
            standings: of the rules with this voice, in the policy's order.
            now: milliseconds of the store's clock at the decision.
        """
        ...

    def asks(self, standings: "Sequence[Standing]", now: int) -> Fields:
        """Header fields that are set on the request before it is forwarded, in place of the client's own."""
        ...


class Heard(NamedTuple):
    """What a response tells of the limits, and what comes of it."""

    fields: Fields = ()
    """That tell the client of the limits."""
    units: Mapping[str, int] = MappingProxyType({})
    """Custom units by name that the exchange has used; a limit of the meter `unit:NAME` counts them."""
    removed: frozenset[str] = frozenset()
    """Lower-case names of fields that the client must not see."""
    answer: Answer | None = None
    """Takes the place of the response: its status, body and what describes the body. Other fields stay. The upstream
    was asked all the same: limits of other voices count no request and no unit, but tokens as they are likely to be."""


@runtime_checkable
class Listening(Protocol):
    """A voice that decides again when the upstream has answered."""

    def hear(self, standings: "Sequence[Standing]", response: Fields, facts: Facts, now: int) -> Heard:
        """What the response's header fields come to, in place of `Voice.fields`.

        Args:
            standings: as they were at arrival.
            response: fields one by one, with lower-case names.
            now: milliseconds of the store's clock at arrival.
        """
        ...


@runtime_checkable
class Unserved(Protocol):
    """A voice with words for a store that does not answer."""

    def unserved(self, facts: Facts) -> Answer:
        """The answer to a request that is refused since the store of the voice's rule did not answer."""
        ...
