"""Kong's regular expressions, which are those of Rust or PCRE, as Python has them."""

import re

_NAMED_GROUP = re.compile(r"\(\?<(?![=!])")


def pythonic(pattern: str) -> str:
    """The pattern with named groups in Python's form."""
    return _NAMED_GROUP.sub("(?P<", pattern)
