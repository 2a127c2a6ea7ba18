"""A WebSocket session as a sequence of turns: what each message means. Pure, but for what it remembers.

The caller asks what a message starts before it is passed on, admits that, and says `begin`. Subclasses know the
messages of one protocol. Whatever comes in, memory stays small: sessions last for days.
"""

from typing import Any, NamedTuple

from limiter.meters import Usage
from limiter.usage.jsonpeek import load
from limiter.usage.requests import Ask
from limiter.usage.turns import Turn

MOST_OPEN = 64
"""Turns of one session that are under way at once."""
BYTES_PER_TOKEN = 4
"""Of JSON that becomes part of a conversation; only for what is never reported."""
SHORT = 8192
"""Bytes of a message from which on it is taken for media in base64."""
_BLANK = b"\xef\xbb\xbf \t\r\n"


class Objection(NamedTuple):
    """A message that may not pass, whatever the budget."""

    reason: str
    event_id: str = ""
    lane: str = ""


class Beside(NamedTuple):
    """Work that was done by another model on the way, as the transcription of speech, and is reported apart."""

    model: str
    usage: Usage


class Told(NamedTuple):
    """What a message of the provider means."""

    begun: Turn | None = None
    """A turn that no message of the client asked for: to be admitted before the message passes."""
    ended: tuple[Turn, ...] = ()
    """To be settled. May hold `begun`."""
    beside: Beside | None = None


NOTHING = Told()


class Session:
    """One WebSocket. Turns are in the order of their messages."""

    media_in: int
    """Bytes of a message with sound, in base64, that make one token of input."""

    def __init__(self, ask: Ask, path: str) -> None:
        """Begins with the upgrade.

        Args:
            path: of the upgrade, with the query.
        """
        self.ask = ask
        """What is known without any turn: of the upgrade, and of what set the session up since."""
        self.turns: list[Turn] = []
        self._path = path
        self._settings = 0
        """Tokens of instructions and tools, which every turn is told again."""
        self._known = 0
        """Tokens of the conversation when the last turn that reported had ended."""
        self._added = 0
        """Tokens that were said since."""

    def asked(self, content: bytes, *, is_text: bool) -> Turn | Objection | None:
        """What a message of the client would start; None: nothing, it may pass.

        Binary messages that are no JSON are sound. Some clients send JSON in them.
        """
        event = _event(content)
        if event is None:
            return Objection("the message is no JSON object") if is_text else None
        found = self._asked(event, content)
        if isinstance(found, Turn) and len(self.turns) >= MOST_OPEN:
            return Objection(f"{MOST_OPEN} responses are under way in this session", found.event_id, found.lane)
        return found

    def begin(self, turn: Turn) -> tuple[Turn, ...]:
        """A turn was admitted; answers with turns that are thereby over."""
        over = tuple(each for each in self.turns if each.ended or each.doubtful)
        for each in over:
            self._remove(each)
        self.turns.append(turn)
        return over

    def refuse(self, turn: Turn) -> None:
        """A turn that the provider began was not admitted; what still comes of it starts nothing."""

    def told(self, content: bytes) -> Told:
        """What a message of the provider means."""
        event = _event(content)
        return NOTHING if event is None else self._told(event, content)

    def end(self) -> tuple[Turn, ...]:
        """The session is over; answers with the turns that were open."""
        over, self.turns = tuple(self.turns), []
        return over

    def _asked(self, event: dict[str, Any], content: bytes) -> Turn | Objection | None:
        raise NotImplementedError

    def _told(self, event: dict[str, Any], content: bytes) -> Told:
        raise NotImplementedError

    def _turn(self, ask: Ask, body: bytes, *, remembers: bool = True) -> Turn:
        """A turn about to begin.

        Args:
            remembers: the model is told the conversation so far.
        """
        if not remembers:
            return Turn(ask, body, self._settings)
        return Turn(ask, body, self._settings + self._known + self._added, self._added)

    def _add(self, content: bytes, *, media: bool = False) -> None:
        """The message becomes part of the conversation.

        Args:
            media: it is sound or pictures, and next to nothing else.
        """
        text = 0 if media else min(len(content), SHORT)
        self._added += text // BYTES_PER_TOKEN + (len(content) - text) // self.media_in

    def _close(self, turn: Turn) -> None:
        """The turn is over, and what it reported is the size of the conversation."""
        turn.ended = True
        self._remove(turn)
        usage = turn.finish().usage
        if usage is not None and usage.total_tokens:
            self._known = usage.total_tokens
            self._added = max(0, self._added - turn.added)

    def _remove(self, turn: Turn) -> None:
        if turn in self.turns:
            self.turns.remove(turn)


def _event(content: bytes) -> dict[str, Any] | None:
    # Most frames of sound are told from JSON by their first byte.
    if content[:1] != b"{" and content.lstrip(_BLANK)[:1] != b"{":
        return None
    decoded = load(content.lstrip(_BLANK))
    return decoded if isinstance(decoded, dict) else None
