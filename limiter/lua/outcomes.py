"""What comes of a call: a number, or a mistake that counts as none. Every mistake has one outcome, told here."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from limiter.lua.messages import Kind, Reply

MOST = 2**53 - 1
"""The largest amount that is booked: every store counts exactly up to it."""

type Mistake = Literal[
    "",
    "raised",  # an error that the function did not catch
    "overran",  # still running at its deadline: an endless loop, a pattern without end
    "memory",  # wanted more memory than it may have
    "nil",  # returned nothing
    "negative",  # returned a number below zero
    "not finite",  # returned NaN or an infinity
    "not a number",  # returned a table, a function, a boolean, or text that is no number
    "died",  # took its process with it
    "waited",  # no worker was free in time
    "crowded",  # too many calls waited already
    "no worker",  # workers do not start
]


@dataclass(frozen=True, slots=True)
class Count:
    """The answer to one call."""

    number: float = 0.0
    """Finite and not negative; 0 where there is a mistake."""
    mistake: Mistake = ""
    detail: str = ""
    """What else there is to say about the mistake; may hold what the function read of the request, in any bytes
    (surrogateescape)."""

    def amount(self, scale: int = 1) -> int:
        """The number in whole parts of one `scale`th, half a part rounded to even; at most `MOST`."""
        return int(min(round(min(self.number, MOST) * scale), MOST))


_MISTAKES: dict[Kind, tuple[Mistake, str]] = {
    "nil": ("nil", "returned nil"),
    "text": ("not a number", "returned text that is no number"),
    "type": ("not a number", "returned a {detail}"),
    "time": ("overran", "ran too long"),
    "memory": ("memory", "wanted too much memory"),
    "raised": ("raised", "{detail}"),
}


def judge(reply: Reply) -> Count:
    """The count of a function that ended or was ended by its worker. Text that Lua reads as a number is one."""
    if reply.kind != "number":
        mistake, text = _MISTAKES.get(reply.kind, ("died", f"said {reply.kind} out of turn"))
        return Count(mistake=mistake, detail=text.replace("{detail}", reply.detail.decode("utf-8", "surrogateescape")))
    if not isfinite(reply.number):
        return Count(mistake="not finite", detail=f"returned {reply.number}")
    if reply.number < 0:
        return Count(mistake="negative", detail=f"returned {reply.number:g}")
    return Count(abs(reply.number))  # There is a zero with a sign.
