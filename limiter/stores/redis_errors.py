"""What went wrong, in words that hold no secret.

Servers quote what they did not understand, a password among it, and keys; drivers quote servers. So of a server's error
only its code is kept, of an operating system's its own words.
"""

import os
import ssl

from redis import exceptions

from limiter.stores.contract import StoreError, UnsoundError

CODES = {
    "CLUSTERDOWN": "the cluster does not serve all its keys",
    "LOADING": "the server is still loading its data",
    "MASTERDOWN": "the replica has lost its master",
    "MOVED": "the cluster moves keys faster than they can be followed",
    "ASK": "the cluster moves keys faster than they can be followed",
    "NOAUTH": "the server asks for a password",
    "NOMASTER": "no Sentinel knows the master",
    "NOPERM": (
        "the user lacks a right: to the keys ~ai-limit.* beside those of the limits, or to EVALSHA, EVAL, GET, SET,"
        " DEL, EXISTS, PEXPIRETIME, PEXPIREAT, ZADD, ZREM, ZRANGEBYSCORE and TIME"
    ),
    "NOTCOUNTER": "a key holds something else than a whole number of at most 2^53",
    "OOM": "the server has no memory left",
    "OVERFLOW": "a counter would pass 2^53",
    "READONLY": "the server is a replica",
    "TRYAGAIN": "the cluster is moving these keys",
    "WRONGPASS": "the server knows no such user and password",
    "WRONGTYPE": "a key holds something else than a counter",
}
"""Error codes of servers, of redis.lua, and NOMASTER of redis_servers.py."""
UNSOUND = ("NOTCOUNTER", "OVERFLOW", "WRONGTYPE")
"""Those that are about a key and not about the server."""
PHRASES = {
    "unknown command": "the server does not know the command",
    "DB index": "the server has no such database",
    "no password is set": "the server has no password, but one was given",
    "without any password configured": "the server has no password, but one was given",
    "max number of clients": "the server takes no more connections",
}
"""Parts of messages whose code says nothing."""


def code(error: BaseException) -> str:
    """The code of a server's error, as `NOSCRIPT`; empty if it is none."""
    known = getattr(error, "status_code", None)
    if isinstance(known, str) and known:
        return known
    first = str(error).partition(" ")[0]
    return first if isinstance(error, exceptions.ResponseError) and first.isalpha() and first.isupper() else ""


def describe(error: BaseException) -> str:
    """A few words on an error of the driver."""
    if isinstance(error, IdentityError):
        return str(error)
    found = code(error)
    if found == "ERR":
        return next((words for part, words in PHRASES.items() if part in str(error)), "the server did not understand")
    if found:
        return f"{found}: {CODES[found]}" if found in CODES else found
    cause: BaseException | None = error
    while cause is not None:
        if words := _own_words(cause):
            return words
        cause = cause.__cause__ or cause.__context__
    return "the connection was lost" if isinstance(error, exceptions.ConnectionError) else type(error).__name__


def _own_words(error: BaseException) -> str:
    """What the operating system or TLS said; empty if it was neither."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    if isinstance(error, TimeoutError | exceptions.TimeoutError):
        return "no answer in time"
    if not isinstance(error, OSError):
        return ""
    # The loop's text for a refused connection does not say so.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or ""


class IdentityError(exceptions.RedisError):
    """An identity provider gave no token. Its text is ours, and may be shown."""


class SlowIdentityError(IdentityError, exceptions.TimeoutError):
    """It gave none in time."""


class RefusedError(StoreError):
    """A server's error in answer to one call, which was not run."""

    def __init__(self, where: object, error: exceptions.ResponseError) -> None:
        super().__init__(f"{where}: {describe(error)}")
        self.error = error


class UnsoundCounterError(RefusedError, UnsoundError):
    """It is about what lies under a key."""


def refused(where: object, error: exceptions.ResponseError) -> RefusedError:
    """The error of one call."""
    return (UnsoundCounterError if code(error) in UNSOUND else RefusedError)(where, error)


class LostError(StoreError):
    """The connection failed, and at once: there is time to try another server."""


def lost(where: object, error: BaseException) -> StoreError:
    """The error of all calls of a connection that failed. Its cause is the driver's, unless that quotes a server."""
    slow = isinstance(error, TimeoutError | exceptions.TimeoutError)
    quotes = isinstance(error, exceptions.ResponseError | exceptions.AuthenticationError)
    everywhere = isinstance(error, IdentityError)
    problem = (StoreError if slow or quotes or everywhere else LostError)(f"{where}: {describe(error)}")
    # None as well: what is quoted is not to be shown as what happened meanwhile either.
    problem.__cause__ = None if quotes else error
    return problem


def is_unknown_script(error: BaseException) -> bool:
    """The server has no script with this digest. Nothing was run."""
    return isinstance(error, exceptions.NoScriptError)


def forbids_digests(error: BaseException) -> bool:
    """EVALSHA does not exist there, or the user may not use it. Nothing was run."""
    words = str(error).lower()
    unknown = "unknown command" in words or isinstance(error, exceptions.NoPermissionError)
    return isinstance(error, exceptions.ResponseError) and unknown and "evalsha" in words
