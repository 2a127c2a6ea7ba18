"""What an upstream says that a request has used: `X-Kong-Limit: videos=2, images=1`.

The grammar of Kong's response-ratelimiting (kong/plugins/response-ratelimiting/header_filter.lua): parts between
commas, each a name and a number around one equals sign. What does not fit counts for nothing, and of two parts with one
name the later counts, even one whose number is none.
"""

from collections.abc import Collection

from limiter.kong.numbers import BLANKS, tonumber


def increments(value: str, names: Collection[str]) -> dict[str, float]:
    """The number for each of `names` that the header has one for; also infinities, NaN and negative ones.

    Args:
        value: of the header's first field. Any text.
    """
    found: dict[str, float] = {}
    for part in value.split(","):
        pieces = part.split("=")
        if len(pieces) != 2:
            continue
        name = pieces[0].strip(BLANKS)
        if name not in names:
            continue
        number = tonumber(pieces[1])
        if number is None:
            found.pop(name, None)
        else:
            found[name] = number
    return found
