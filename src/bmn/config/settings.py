"""The shape of bmn.toml. Every key is here; any other is refused."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bmn.config.fields import (
    AddressField,
    Count,
    DecimalText,
    FilePath,
    PlainOrTable,
    PlainOrZoned,
    Port,
    Positive,
    SocketUrl,
    WebUrl,
)
from bmn.core.errors import BadInput
from bmn.evm.types import USUAL_ROLES, EndpointRole
from bmn.pg.cron import parse_timing


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class EndpointSection(Section):
    """One node: a URL alone, or a table."""

    name: str | None = None
    """For messages; by default the chain's name and a number."""
    url: WebUrl
    ws: SocketUrl | None = None
    """Where it pushes heads."""
    roles: Annotated[frozenset[EndpointRole], Field(min_length=1), PlainSerializer(sorted)] = USUAL_ROLES
    """heads, logs: asked first for them. archive: asked first for old state. send: gets our transactions; with `send`
    alone it answers no questions and does not count for the quorum."""
    per_second: Annotated[float, Field(gt=0)] | None = None
    """Most calls a second; more wait."""
    per_day: Positive | None = None
    """Calls a UTC day from which other endpoints are asked first."""


class ContractsSection(Section):
    """`[chains.NAME.contracts]`."""

    factory: AddressField
    limit_order_protocol: AddressField
    resolver: AddressField
    access_token: AddressField
    noop_token: AddressField
    src_implementation: AddressField | None = None
    """By default the factory's first creation, as ours is."""
    dst_implementation: AddressField | None = None
    """By default the factory's second creation."""
    rescue_delay_src: Positive = 604_800
    rescue_delay_dst: Positive = 691_200
    domain_name: str = "1inch Limit Order Protocol"
    domain_version: str = "4"


class ChainSection(Section):
    """`[chains.NAME]`; seconds are of that chain's clock."""

    id: Positive
    rpc: Annotated[list[Annotated[EndpointSection, PlainOrTable]], Field(min_length=1)]
    quorum: Positive | None = None
    """How many endpoints must agree on what money depends on; by default more than half of those that answer."""
    depth: Count
    """Blocks on top of a block before it is final."""
    block_time: Annotated[float, Field(gt=0)]
    inclusion: Positive
    """Worst accepted time from broadcast to inclusion, fee bumps included."""
    outage: Count
    """How long the chain may stand still without a loss for us."""
    start_block: Count
    """First block to read: where the contracts were deployed, or before."""
    max_fee_per_gas: Positive
    """In wei; never paid more."""
    contracts: ContractsSection

    @property
    def readers(self) -> int:
        """How many endpoints answer questions."""
        return sum(endpoint.roles != {EndpointRole.SEND} for endpoint in self.rpc)


class PairSection(Section):
    """`[[pairs]]`: orders from `src` to `dst` are taken."""

    src: str
    dst: str


class TokenSection(Section):
    """`[tokens.SYMBOL]`: a token that we take and give."""

    decimals: Annotated[int, Field(ge=0, le=36)]
    max_amount: DecimalText
    """Most in one order, in whole tokens."""
    usd: DecimalText | None = None
    """Fixed price of a whole token, at most six decimals; orders for a token without are refused."""
    addresses: Annotated[dict[str, AddressField], Field(min_length=1)]
    """By chain."""


class ResolverSection(Section):
    """`[resolver]`: whose keys sign, and the key that seals secrets in the database."""

    dev_keys: list[Count] = []
    """Public keys of development chains, by index."""
    signers: list[AddressField] = []
    """Accounts with a file in `keystore`."""
    keystore: FilePath | None = None
    """By default `keys` in the home."""
    password_file: FilePath | None = None
    """Opens all of `signers`."""
    secrets_key_file: FilePath | None = None
    """64 hex digits; the same for all processes on one database. During a rotation also the other key, one a line."""
    secrets_key_command: list[str] | None = None
    """Instead of the file: a program and its arguments that prints the same, such as one that asks a KMS."""


class LimitsSection(Section):
    """`[limits]`."""

    max_safety_deposit: Positive = 10**17
    """Most native coin put at stake as deposit of one escrow, in wei."""
    min_profit_bps: Count = 0
    """Least gain of an order before gas, in 1/10000 of what we pay."""


class MarginsSection(Section):
    """`[margins]`, in seconds."""

    detect: Count = 60
    """To see a reveal with the push path dead."""
    recovery: Count = 600
    """For our own process to come back."""
    skew: Count = 60
    """Largest difference between the clocks of two chains."""
    min_reveal: Count = 300
    """Least time the maker must have to reveal."""
    max_lock: Positive = 86_400
    """Longest time until a lock can be cancelled."""


class ApiSection(Section):
    """`[api]`: where we listen."""

    host: str = "127.0.0.1"
    port: Port = 8080
    operator_host: str = "127.0.0.1"
    operator_port: Port = 8081
    operator_token_file: FilePath | None = None
    """Opens the operator's listener for who knows its content; without it, that listener is off."""


class IndexerSection(Section):
    """`[indexer]`: where what the chains said is listed; open to readers, it holds nothing secret."""

    host: str = "127.0.0.1"
    port: Port = 42069


class MakerSection(Section):
    """`[maker]`: for `bmn order`."""

    resolver_url: WebUrl
    dev_key: Count | None = None
    """Public key of development chains, by index."""
    account: AddressField | None = None
    """Has a file in `keystore`."""
    keystore: FilePath | None = None
    """By default `keys` in the home."""
    password_file: FilePath | None = None
    """Opens `account`; without it, the terminal is asked."""


class ScheduleSection(Section):
    """`[schedules.JOB]`: when a job runs, instead of its usual times; or as its text alone."""

    spec: str
    """Five or six cron fields, `every 30s`, or `at 2026-12-01T09:00`."""
    zone: str = "UTC"

    @model_validator(mode="after")
    def _is_readable(self) -> Self:
        try:
            parse_timing(self.spec, self.zone)
        except BadInput as error:
            raise ValueError(f"{error.detail}; {error.hint}") from error
        return self


class Settings(BaseSettings):
    """All of it. An environment variable `BMN_A__B` beats `.env`, which beats key `b` of `[a]` in the file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="BMN_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        dotenv_filtering="match_prefix",  # .env belongs to other programs too
    )

    home: Path = Path(".bmn")
    """Where our own database, keys and the maker's orders are."""
    database_url: SecretStr | None = None
    """A PostgreSQL of yours; without it, one of our own under `home`."""
    database_direct_url: SecretStr | None = None
    """The same database past a pooler, for wake-ups and migrations; without it, `database_url` is used."""
    secrets_key: SecretStr | None = Field(default=None, exclude=True)
    """BMN_SECRETS_KEY: instead of `resolver.secrets_key_file`; never in the file, never shown."""
    chains: dict[str, ChainSection] = {}
    pairs: list[PairSection] = []
    tokens: dict[str, TokenSection] = {}
    resolver: ResolverSection | None = None
    limits: LimitsSection = LimitsSection()
    margins: MarginsSection = MarginsSection()
    api: ApiSection = ApiSection()
    indexer: IndexerSection = IndexerSection()
    schedules: dict[str, Annotated[ScheduleSection, PlainOrZoned]] = {}
    """By job."""
    maker: MakerSection | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put what the file says, which comes as arguments, last."""
        return env_settings, dotenv_settings, file_secret_settings, init_settings
