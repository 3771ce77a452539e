"""Find and read the settings; refuse bad ones with all their problems at once."""

import difflib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from bmn.config import settings as shapes
from bmn.config.settings import ResolverSection, Settings
from bmn.core.errors import ConfigError, NotFound
from bmn.evm.types import EndpointRole

FILE_NAME: Final = "bmn.toml"
_PATH_KEYS: Final = {"home", "keystore", "operator_token_file", "password_file", "secrets_key_file"}
_SECRETS_FOLDER: Final = "BMN_SECRETS_DIR"


def load_settings(path: Path | None = None) -> Settings:
    """Read `path`, else what BMN_CONFIG names, else ./bmn.toml if there is one; then `.env` and the environment.

    BMN_SECRETS_DIR names a folder with one file per value, such as `bmn_database_url`.

    Raises:
        NotFound: CONFIG_MISSING, a file that was named is not there.
        ConfigError: CONFIG_INVALID, with every problem.
    """
    file, content = _read(path)
    _adopt_aliases(content)
    try:
        sources: dict[str, Any] = {"_env_file": Path(".env"), "_secrets_dir": os.environ.get(_SECRETS_FOLDER)}
        settings = Settings(**sources, **content)
    except ValidationError as error:
        raise invalid(file, list(_shape_problems(error))) from error
    except SettingsError as error:
        raise invalid(file, [f"{error}: this is not JSON of the right shape; correct the variable"]) from error
    problems = list(_cross_problems(settings))
    if "secrets_key" in content:
        problems.append("secrets_key: a key has no place in this file; use BMN_SECRETS_KEY or a file of its own")
    if problems:
        raise invalid(file, problems)
    return settings


def invalid(file: str, problems: list[str]) -> ConfigError:
    """Return the error that names `problems`."""
    if len(problems) == 1:
        return ConfigError("CONFIG_INVALID", f"{file}: {problems[0]}")
    lines = "".join(f"\n  {problem}" for problem in problems)
    return ConfigError("CONFIG_INVALID", f"{file}: {len(problems)} problems:{lines}")


def _read(path: Path | None) -> tuple[str, dict[str, Any]]:
    named = path or (Path(os.environ["BMN_CONFIG"]) if os.environ.get("BMN_CONFIG") else None)
    file = named or Path(FILE_NAME)
    try:
        content = tomllib.loads(file.read_text())
    except FileNotFoundError as error:
        if named is None:
            return "settings", {}
        raise NotFound(
            "CONFIG_MISSING", f"there is no file {file}", hint="correct --config or BMN_CONFIG, or run `bmn devnet up`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("CONFIG_INVALID", f"{file} cannot be read: {type(error).__name__}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            "CONFIG_INVALID", f"{file} is not TOML: {error}", hint="see https://toml.io for the format"
        ) from error
    return str(file), _from_folder(content, file.absolute().parent)


def _from_folder(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make paths in the file absolute."""
    return {
        key: _from_folder(value, folder)
        if isinstance(value, dict)
        else str(folder / value)
        if key in _PATH_KEYS and isinstance(value, str)
        else value
        for key, value in content.items()
    }


def _adopt_aliases(content: dict[str, Any]) -> None:
    """Honour the mission's KV_PATH: the address of a PostgreSQL, or a folder for our own (`kv://NAME` is one too)."""
    place = os.environ.get("KV_PATH")
    if not place:
        return
    if place.startswith(("postgres://", "postgresql://")):
        content.setdefault("database_url", place)
    else:
        content.setdefault("home", place.removeprefix("kv://"))


def _shape_problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        where = ".".join(map(str, problem["loc"]))
        match problem["type"]:
            case "extra_forbidden":
                key = str(problem["loc"][-1])
                close = difflib.get_close_matches(key, _known_keys(), n=1)
                yield f"{where}: unknown key; " + (f"did you mean `{close[0]}`?" if close else "remove it")
            case "string_pattern_mismatch":
                yield f'{where}: not an amount; write it as a plain number in quotes, such as "12.5"'
            case "missing":
                yield f"{where}: missing; add it"
            case _:
                yield f"{where}: {problem['msg'].removeprefix('Value error, ')}; correct it"


def _known_keys() -> set[str]:
    models = [value for value in vars(shapes).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    return {key for model in models for key in model.model_fields}


def _cross_problems(settings: Settings) -> Iterator[str]:
    yield from _chain_problems(settings)
    yield from _pair_problems(settings)
    yield from _token_problems(settings)
    if settings.database_direct_url and not settings.database_url:
        yield "database_url: missing; database_direct_url names the same database past a pooler"
    resolver, maker = settings.resolver, settings.maker
    if resolver and not (resolver.dev_keys or resolver.signers):
        yield "resolver.signers: nobody signs; name accounts of your keystore (`bmn keys list`)"
    if resolver:
        yield from _secrets_key_problems(settings, resolver)
    if resolver and resolver.signers and resolver.password_file is None:
        yield "resolver.password_file: missing; name the file with the password of the keystore"
    if settings.schedules:
        yield from _schedule_problems(settings)
    if maker and (maker.dev_key is None) == (maker.account is None):
        yield "maker.account: name either an account of your keystore or a dev_key"


def _schedule_problems(settings: Settings) -> Iterator[str]:
    from bmn.config.build import plan_jobs  # most of the program

    try:
        plan_jobs(settings)
    except ConfigError as error:
        yield f"{error.detail}; {error.hint}"


def _secrets_key_problems(settings: Settings, resolver: ResolverSection) -> Iterator[str]:
    if resolver.secrets_key_command == []:
        yield "resolver.secrets_key_command: empty; name a program"
    places = (resolver.secrets_key_file, resolver.secrets_key_command, settings.secrets_key)
    given = sum(place is not None for place in places)
    if given != 1:
        names = "resolver.secrets_key_file, resolver.secrets_key_command and BMN_SECRETS_KEY"
        yield f"resolver.secrets_key_file: {given or 'none'} of {names} given; give one of them"


def _chain_problems(settings: Settings) -> Iterator[str]:
    by_id: dict[int, str] = {}
    for name, chain in settings.chains.items():
        first = by_id.setdefault(chain.id, name)
        if first != name:
            yield f"chains.{name}.id: chain {chain.id} is also chains.{first}; one of them is wrong"
        if chain.readers == 0:
            yield f"chains.{name}.rpc: no endpoint answers questions; give one more roles than send"
        elif (chain.quorum or 1) > chain.readers:
            yield f"chains.{name}.quorum: {chain.quorum} of {chain.readers} endpoints; lower it or add endpoints"
        if not any(EndpointRole.SEND in endpoint.roles for endpoint in chain.rpc):
            yield f"chains.{name}.rpc: no endpoint gets our transactions; give one the role send"


def _pair_problems(settings: Settings) -> Iterator[str]:
    for number, pair in enumerate(settings.pairs):
        for side, name in (("src", pair.src), ("dst", pair.dst)):
            if name not in settings.chains:
                yield f"pairs.{number}.{side}: there is no [chains.{name}]; add it or correct the name"
        if pair.src == pair.dst:
            yield f"pairs.{number}: src and dst are both {pair.src}; name two chains"


def _token_problems(settings: Settings) -> Iterator[str]:
    for symbol, token in settings.tokens.items():
        for name in token.addresses:
            if name not in settings.chains:
                yield f"tokens.{symbol}.addresses.{name}: there is no [chains.{name}]; add it or correct the name"
        if len((token.usd or "").partition(".")[2]) > 6:
            yield f"tokens.{symbol}.usd: more than 6 decimals; round it"
        decimals = len(token.max_amount.partition(".")[2])
        if decimals > token.decimals:
            yield f"tokens.{symbol}.max_amount: {decimals} decimals, the token has {token.decimals}; round it"
