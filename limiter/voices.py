"""How a dialect speaks: what a refused client is answered, and what the headers of others tell.

A voice is part of the rules that it speaks for: a frozen value that holds what their configuration says of messages and
headers. Rules with equal voices speak together.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

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
