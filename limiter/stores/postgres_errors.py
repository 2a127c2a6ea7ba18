"""What went wrong, in words that hold no secret; and what is to be done about it.

A server quotes values, which may be keys, only in errors of the classes 22 and 23. Its other messages name users,
databases, schemas and limits, never a password.
"""

import os
import ssl
from enum import Enum

import asyncpg

from limiter.stores.contract import StoreError, UnsoundError

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What the driver raises. Its own errors of configuration are `InterfaceError`s and `ValueError`s."""
CONFLICTS = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock: the transaction was undone for the sake of another."""
UNUSABLE = frozenset({"25006", "3F000", "42883", "42P01"})
"""The server only reads now; our schema, function or tables are gone. A new connection will find out more."""
WORDS = {"22003": "a counter would pass 64 bits", "57014": "no answer in time"}
"""What we make of some states."""


class Verdict(Enum):
    """What an error means for the calls of a round trip and for the connection."""

    CALLS = "calls"
    """One of the calls cannot be served; nothing was booked, and the connection is fine."""
    CONFLICT = "conflict"
    """Nothing was booked, and a repetition is likely to succeed."""
    REFUSED = "refused"
    """Nothing was booked; so will it be with any other call."""
    LOST = "lost"
    """The connection is of no use any more. What was booked is unknown."""


def judge(error: BaseException) -> Verdict:
    state = getattr(error, "sqlstate", None)
    if not isinstance(error, asyncpg.PostgresError) or not isinstance(state, str):
        return Verdict.LOST
    if state.startswith("22"):
        return Verdict.CALLS
    if state in CONFLICTS:
        return Verdict.CONFLICT
    # 08: connection, 57P0…: shutdown and crash.
    return Verdict.LOST if state in UNUSABLE or state.startswith(("08", "57P0")) else Verdict.REFUSED


def describe(error: BaseException) -> str:
    """A few words on an error of the driver."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.PostgresError) and isinstance(state, str):
        return _servers_words(error, state)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return _systems_words(error)
    if isinstance(error, asyncpg.ClientConfigurationError | asyncpg.TargetServerAttributeNotMatched):
        return str(error)
    return "the connection was lost" if isinstance(error, asyncpg.InterfaceError) else type(error).__name__


def _servers_words(error: asyncpg.PostgresError, state: str) -> str:
    if state in WORDS:
        return WORDS[state]
    if state[:2] in ("22", "23"):
        return f"a call cannot be written (SQLSTATE {state})"
    return str(error.args[0] if error.args else type(error).__name__).partition("\n")[0]


def _systems_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    # The loop's text for a refused connection does not say so.
    words = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return f"{error.filename}: {words}" if error.filename else words or "the connection was lost"


def store_error(where: object, error: BaseException) -> StoreError:
    """To be raised in place of an error of the driver, for a single call if the verdict is about calls."""
    kind = UnsoundError if judge(error) is Verdict.CALLS else StoreError
    problem = kind(f"{where}: {describe(error)}")
    # The server's and the driver's own words may quote values.
    problem.__cause__ = error if isinstance(error, OSError) else None
    return problem
