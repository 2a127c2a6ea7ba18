"""A gateway of generation B on one Redis, as far as its token limits go: the two scripts that its plugin runs.

Written from a description of what they read, write and answer; arguments are decimal texts, times are seconds.
"""

from typing import NamedTuple

from redis import Redis

REQUEST = """
local used, left = redis.call('get', KEYS[1]), redis.call('ttl', KEYS[1])
if not used then return {tonumber(ARGV[1]), 0, tonumber(ARGV[2])} end
if left < 0 then left = tonumber(ARGV[2]) end
return {tonumber(ARGV[1]), tonumber(used), left}
"""
RESPONSE = """
local limit, window, added = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used = tonumber(redis.call('get', KEYS[1]) or '0')
if used <= limit then
  used = redis.call('incrby', KEYS[1], added)
  if used == added or redis.call('ttl', KEYS[1]) < 0 then redis.call('expire', KEYS[1], window) end
end
return {limit, used, redis.call('ttl', KEYS[1])}
"""


class Seen(NamedTuple):
    limit: int
    used: int
    reset: int

    @property
    def admitted(self) -> bool:
        return self.used <= self.limit


class Gateway:
    """One limit of it."""

    def __init__(self, redis: Redis, key: str, limit: int, window: int) -> None:
        self._redis = redis
        self._key = key
        self._limit = limit
        self._window = window

    def request(self) -> Seen:
        return Seen(*self._redis.eval(REQUEST, 1, self._key, str(self._limit), str(self._window)))

    def response(self, tokens: int) -> None:
        self._redis.eval(RESPONSE, 1, self._key, str(self._limit), str(self._window), str(tokens))
