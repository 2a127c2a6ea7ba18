"""A recorded WebSocket as the turns that it consists of, told apart as those of live sessions are."""

from collections.abc import Iterable, Iterator

from limiter.metering.recording import Frame
from limiter.usage.requests import Ask
from limiter.usage.session import Beside, Session
from limiter.usage.sessions import session
from limiter.usage.turns import Turn


def turns(ask: Ask, path: str, frames: Iterable[Frame]) -> Iterator[Turn | Beside]:
    """Every turn when it is over, once, and what other models did beside them.

    Args:
        path: of the upgrade, with the query.
    """
    live = session(ask, path)
    open_: set[Turn] = set()
    for frame in frames:
        for item in _asked(live, open_, frame.data) if frame.from_client else _told(live, open_, frame.data):
            if isinstance(item, Beside):
                yield item
            elif item in open_:
                open_.remove(item)
                yield item
    yield from (turn for turn in live.end() if turn in open_)


def _asked(live: Session, open_: set[Turn], data: bytes) -> Iterator[Turn]:
    turn = live.asked(data, is_text=True)
    if isinstance(turn, Turn):
        open_.add(turn)
        yield from live.begin(turn)


def _told(live: Session, open_: set[Turn], data: bytes) -> Iterator[Turn | Beside]:
    told = live.told(data)
    if told.begun is not None:
        open_.add(told.begun)
        yield from () if told.begun.ended else live.begin(told.begun)
    yield from told.ended
    if told.beside is not None:
        yield told.beside
