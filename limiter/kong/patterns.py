"""Kong's regular expressions, which are those of Rust or PCRE, as Python has them."""

import re
import warnings

_NAMED_GROUP = re.compile(r"\(\?<(?![=!])")


def compiled(pattern: str) -> re.Pattern[str]:
    """The expression, with named groups in Python's form.

    Raises:
        re.error: it is none.
    """
    with warnings.catch_warnings():
        # What may mean something else to a later Python: nothing that whoever wrote it for Kong could do about.
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(_NAMED_GROUP.sub("(?P<", pattern))
