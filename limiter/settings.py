"""What a configuration sets beside its limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Literal

from limiter.kong.entities import Consumer, Gateway
from limiter.kong.functions import Function

OnStoreError = Literal["local", "allow", "deny"]
OnUnknownPrice = Literal["dearest", "block", "free"]
Count = Literal["io", "total", "weighted"]
Network = IPv4Network | IPv6Network

NO_GATEWAY = Gateway()
_NO_FUNCTIONS: Mapping[str, Function] = MappingProxyType({})
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price that the user sets, before the built-in ones. Dollars for a million tokens unless said otherwise."""

    model: str
    """Shell pattern over the model's name."""
    provider: str = "*"
    """Shell pattern over the provider's name."""
    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cached: Decimal | None = None
    """Cache reads; None: as input."""
    cache_write: Decimal | None = None
    """None: as input."""
    request: Decimal = Decimal(0)
    """Dollars for each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `settings:` of a configuration, all documents merged."""

    store: str = ""
    """URL (`stores.urls.open_store`); empty: the default."""
    store_timeout: float = 2.0
    """Seconds that a request waits for the store."""
    providers: Mapping[str, str] = _NONE
    """`host` or `host:port` → name in the provider table."""
    prices: tuple[Price, ...] = ()
    models: Mapping[str, str] = _NONE
    """Shell pattern over the names that requests use (an Azure deployment, a Bedrock ARN) → the model whose price and
    output limit count. Limits still match the request's own name."""
    service_addresses: Mapping[str, str] = _NONE
    """Service names that foreign dialects use → `host:port`."""
    consumers: tuple[Consumer, ...] = ()
    require_consumer: bool = False
    """Requests whose consumer is not known are refused."""
    gateway: Gateway = NO_GATEWAY
    """What Kong documents say of services, routes and consumers."""
    functions: Mapping[str, Function] = _NO_FUNCTIONS
    """Custom unit → the function of a Kong document that counts it."""
    trusted_peers: tuple[Network, ...] = ()
    """Clients whose forwarding and identity headers count."""
    on_store_error: OnStoreError = "local"
    on_unknown_price: OnUnknownPrice = "dearest"
    rate_limit_headers: bool = True
    """The IETF `RateLimit` and `RateLimit-Policy` fields on every metered response."""
    count: Count = "io"
    """What a Higress limit counts: see `meters.METERS`."""
    on_redis_error: OnStoreError = "allow"
    """As `on_store_error`, for the Redis that a Higress document names."""
    digest_values: bool = False
    """Keys that are shared with a foreign gateway hold digests of headers, parameters and cookies, so that they are not
    shared any more."""
