"""The native dialect's shape: which keys there are and what each holds."""

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from limiter.config import amounts, values
from limiter.config.notices import MisfitError, Steps
from limiter.rules import Mode, Reserve
from limiter.settings import Count, Network, OnStoreError, OnUnknownPrice
from limiter.windows import Kind

Text = Annotated[str, Field(min_length=1)]
Money = Annotated[Decimal, PlainValidator(values.price)]
Zone = Annotated[str, PlainValidator(values.time_zone)]


class Entry(BaseModel):
    """A mapping without unknown keys, whose values are taken as they are or not at all."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ProviderEntry(Entry):
    """A host that speaks the API of a provider."""

    host: Annotated[str, PlainValidator(values.host)]
    provider: Text


class PriceEntry(Entry):
    """A model's price; see `settings.Price`."""

    model: Text
    provider: Text = "*"
    input: Money = Decimal(0)
    output: Money = Decimal(0)
    cached: Money | None = None
    cache_write: Money | None = None
    request: Money = Decimal(0)

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if not self.model_fields_set & {"input", "output", "request"}:
            raise MisfitError("at least one of input, output and request")
        return self


class ConsumerEntry(Entry):
    """Somebody who asks; see `kong.entities.Consumer`."""

    name: Annotated[str, PlainValidator(values.consumer)]
    keys: Annotated[tuple[str, ...], PlainValidator(values.keys)] = ()
    password: Annotated[str, PlainValidator(values.secret)] = ""
    groups: Annotated[tuple[str, ...], PlainValidator(values.groups)] = ()

    @model_validator(mode="after")
    def _proves_itself(self) -> Self:
        if not self.keys and not self.password:
            raise MisfitError("at least one of keys and password")
        return self


class SettingsEntry(Entry):
    """`settings:`; see `settings.Settings`."""

    store: Text = ""
    store_timeout: Annotated[float, PlainValidator(values.seconds)] = 0.0
    providers: list[ProviderEntry] = []
    prices: list[PriceEntry] = []
    models: dict[Text, Text] = {}
    service_addresses: dict[Text, Annotated[str, PlainValidator(values.address)]] = {}
    consumers: list[ConsumerEntry] = []
    require_consumer: bool = False
    trusted_peers: list[Annotated[Network, PlainValidator(values.network)]] = []
    on_store_error: OnStoreError = "local"
    on_unknown_price: OnUnknownPrice = "dearest"
    rate_limit_headers: bool = True
    count: Count = "io"
    on_redis_error: OnStoreError = "allow"
    digest_values: bool = False
    time_zone: Zone = "UTC"
    """Default for the limits of the same document."""


class LimitEntry(Entry):
    """One item of `limits:`."""

    name: Annotated[str, PlainValidator(values.name)]
    amount: Annotated[amounts.Amount, PlainValidator(amounts.parse)]
    meter: Annotated[str, PlainValidator(values.header_meter)] = ""
    window: Kind | None = None
    time_zone: Zone | None = None
    match: dict[str, Any] = {}
    """Checked by `matching`."""
    per: Annotated[tuple[str, ...], PlainValidator(values.dimensions)] = ()
    reserve: Reserve = "none"
    mode: Mode = "enforce"
    status: Annotated[int | None, PlainValidator(values.status)] = None


class DocumentEntry(Entry):
    """A whole document. Its limits are checked one by one, so that a bad one hides nothing about the others."""

    settings: Annotated[SettingsEntry, BeforeValidator(lambda value: {} if value is None else value)] = SettingsEntry()
    limits: Annotated[list[Any], BeforeValidator(lambda value: [] if value is None else value)] = []


DOCUMENT_MODELS: dict[Steps, type[BaseModel]] = {
    (): DocumentEntry,
    ("settings",): SettingsEntry,
    ("settings", "providers"): ProviderEntry,
    ("settings", "prices"): PriceEntry,
    ("settings", "consumers"): ConsumerEntry,
}
LIMIT_MODELS: dict[Steps, type[BaseModel]] = {(): LimitEntry}
