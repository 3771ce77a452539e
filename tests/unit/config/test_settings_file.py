from collections.abc import Callable
from pathlib import Path

import pytest

from bmn.config.build import build_endpoints, build_margins, build_specs, quorum_of, token_amounts
from bmn.config.load import load_settings
from bmn.core.errors import BmnError, ConfigError, NotFound
from bmn.core.escrow_address import create_address
from bmn.core.units import Address, ChainId, TokenAmount
from bmn.evm.budget import UNLIMITED, Budget
from bmn.evm.types import USUAL_ROLES, EndpointRole

CONTRACTS = """
factory = "0x78Ce8bcA75CF869e846a119aE4f3e59604cd30c5"
limit_order_protocol = "0x43A4555C04B7b426b73701Ee8006aF0aC4C2ff9C"
resolver = "0xe8D5F39Ff9Eebea10a59985afBDD8Ac170F17885"
access_token = "0xd92eB1a3b9E0211E1CeD5FE98d4f5C84229dc84F"
noop_token = "0xFA1358982B2fD4f0360cFcF5f53C2Ddf67aCE488"
"""
CHAIN = (
    """
[chains.{name}]
id = {id}
rpc = ["http://127.0.0.1:1/KEY", {{ name = "second", url = "http://127.0.0.1:2", ws = "ws://127.0.0.1:2" }}]
depth = 2
block_time = 0.5
inclusion = 3
outage = 5
start_block = 0
max_fee_per_gas = 1
[chains.{name}.contracts]
"""
    + CONTRACTS
)
GOOD = f"""
home = "there"
{CHAIN.format(name="alpha", id=31337)}
{CHAIN.format(name="beta", id=31338)}
[[pairs]]
src = "alpha"
dst = "beta"
[tokens.BMN]
decimals = 18
max_amount = "1.5"
addresses = {{ alpha = "0xd92eB1a3b9E0211E1CeD5FE98d4f5C84229dc84F" }}
[resolver]
dev_keys = [2]
secrets_key_file = "secrets.key"
[margins]
detect = 3
recovery = 5
skew = 5
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes bmn.toml into an empty folder, which is also the working directory; no variable of ours is set."""
    import os

    for name in [*os.environ]:
        if name.startswith("BMN_") or name in {"KV_PATH", "INDEXER_URL"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def into(text: str) -> Path:
        path = tmp_path / "bmn.toml"
        path.write_text(text)
        return path

    return into


def refusal(path: Path) -> BmnError:
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.code == "CONFIG_INVALID"
    assert caught.value.exit_code == 4
    return caught.value


def test_a_good_file_becomes_core_types(write: Callable[[str], Path]) -> None:
    settings = load_settings(write(GOOD))
    spec = build_specs(settings)[ChainId(31337)]
    assert (spec.name, spec.block_time, spec.depth) == ("alpha", 0.5, 2)
    factory = spec.contracts.factory
    assert spec.contracts.src_implementation == create_address(factory, 1)
    assert spec.contracts.dst_implementation == create_address(factory, 2)
    margins = build_margins(settings)[ChainId(31337), ChainId(31338)]
    assert margins.required == 3 + 5 + 2 * 3 + 2 + 5 + 2 + 5 + 5
    assert token_amounts(settings, "alpha") == {
        Address.from_hex("0xd92eB1a3b9E0211E1CeD5FE98d4f5C84229dc84F"): TokenAmount(15 * 10**17)
    }
    assert token_amounts(settings, "beta") == {}


def test_paths_count_from_the_files_folder(write: Callable[[str], Path], tmp_path: Path) -> None:
    settings = load_settings(write(GOOD))
    assert settings.home == tmp_path / "there"
    assert settings.resolver is not None
    assert settings.resolver.secrets_key_file == tmp_path / "secrets.key"


def test_an_endpoint_is_a_url_or_a_table_and_its_url_does_not_print(write: Callable[[str], Path]) -> None:
    chain = load_settings(write(GOOD)).chains["alpha"]
    first, second = build_endpoints("alpha", chain)
    assert (first.name, second.name, second.ws_url) == ("alpha-1", "second", "ws://127.0.0.1:2")
    assert "KEY" not in repr(first)


def test_more_than_half_must_agree_by_default(write: Callable[[str], Path]) -> None:
    assert quorum_of(load_settings(write(GOOD)).chains["alpha"]) == 2
    assert quorum_of(load_settings(write(GOOD.replace("depth = 2", "quorum = 1\ndepth = 2"))).chains["alpha"]) == 1


def test_an_endpoint_that_only_sends_has_no_voice_in_the_quorum(write: Callable[[str], Path]) -> None:
    text = GOOD.replace('name = "second"', 'roles = ["send"], name = "second"')
    assert quorum_of(load_settings(write(text)).chains["alpha"]) == 1
    assert "quorum: 2 of 1 endpoints" in refusal(write(text.replace("depth = 2", "quorum = 2\ndepth = 2"))).detail


def test_an_endpoint_has_the_usual_roles_and_no_limits_unless_it_says_so(write: Callable[[str], Path]) -> None:
    limits = 'roles = ["logs", "archive"], per_second = 2.5, per_day = 1000, name = "second"'
    chain = load_settings(write(GOOD.replace('name = "second"', limits))).chains["alpha"]
    first, second = build_endpoints("alpha", chain)
    assert (first.roles, first.budget) == (USUAL_ROLES, UNLIMITED)
    assert second.roles == {EndpointRole.LOGS, EndpointRole.ARCHIVE}
    assert second.budget == Budget(per_second=2.5, per_day=1000)


def test_the_environment_beats_dotenv_which_beats_the_file(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(GOOD)
    (tmp_path / ".env").write_text("BMN_CHAINS__ALPHA__DEPTH=3\nBMN_CHAINS__BETA__DEPTH=4\nOTHER_PROGRAM=x\n")
    monkeypatch.setenv("BMN_CHAINS__BETA__DEPTH", "5")
    chains = load_settings(path).chains
    assert (chains["alpha"].depth, chains["beta"].depth) == (3, 5)


def test_a_secret_file_is_a_value(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bmn_database_url").write_text("postgresql://u:hidden@h/d")
    monkeypatch.setenv("BMN_SECRETS_DIR", str(tmp_path))
    settings = load_settings(write(GOOD))
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://u:hidden@h/d"
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("place", "home", "url"),
    [("postgresql://h/d", "there", "postgresql://h/d"), ("kv://other", "there", None), ("", "there", None)],
)
def test_kv_path_is_honoured_where_nothing_else_is_said(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, place: str, home: str, url: str | None
) -> None:
    monkeypatch.setenv("KV_PATH", place)
    settings = load_settings(write(GOOD))
    assert settings.home.name == home
    assert (settings.database_url and settings.database_url.get_secret_value()) == url


def test_kv_path_names_the_home_when_the_file_does_not(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KV_PATH", "kv://bmn-production")
    assert load_settings(write(GOOD.replace('home = "there"', ""))).home == Path("bmn-production")


def test_an_unknown_key_is_refused_with_the_nearest_known_one(write: Callable[[str], Path]) -> None:
    error = refusal(write(GOOD.replace("skew = 5", "skew = 5\nmin_revael = 9")))
    assert error.detail.endswith("margins.min_revael: unknown key; did you mean `min_reveal`?")
    assert "\n" not in error.detail


def test_all_problems_are_named_at_once(write: Callable[[str], Path]) -> None:
    bad = GOOD.replace("0x78Ce8b", "0x78ce8b").replace('"1.5"', '"1,5"').replace("outage = 5\n", "")
    detail = refusal(write(bad)).detail
    for words in (
        "5 problems",
        "chains.alpha.outage: missing",
        "chains.beta.outage: missing",
        "chains.alpha.contracts.factory: address 0x78ce8b",
        "did you mean 0x78Ce8b",
        "tokens.BMN.max_amount: not an amount",
    ):
        assert words in detail


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('dst = "beta"', 'dst = "gamma"', "pairs.0.dst: there is no [chains.gamma]"),
        ('dst = "beta"', 'dst = "alpha"', "name two chains"),
        ("id = 31338", "id = 31337", "chains.beta.id: chain 31337 is also chains.alpha"),
        ("depth = 2", "depth = 2\nquorum = 3", "quorum: 3 of 2 endpoints"),
        ('"http://127.0.0.1:1/KEY", {', '{ roles = ["send"],', "no endpoint answers questions"),
        ('"http://127.0.0.1:1/KEY", {', '{ roles = ["heads"],', "no endpoint gets our transactions"),
        ('name = "second"', 'roles = [], name = "second"', "roles"),
        ('name = "second"', 'roles = ["heads"], per_day = 0, name = "second"', "per_day"),
        ("decimals = 18", "decimals = 0", "max_amount: 1 decimals, the token has 0"),
        ("{ alpha =", "{ gamma =", "tokens.BMN.addresses.gamma: there is no [chains.gamma]"),
        ("dev_keys = [2]", "", "resolver.signers: nobody signs"),
        ("dev_keys = [2]", f'signers = ["0x{"11" * 20}"]', "resolver.password_file: missing"),
        ('rpc = ["http://127.0.0.1:1/KEY"', 'rpc = ["127.0.0.1:1/KEY"', "a URL starts with http://"),
        ("block_time = 0.5", "block_time = 0", "block_time"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    write: Callable[[str], Path], before: str, after: str, words: str
) -> None:
    detail = refusal(write(GOOD.replace(before, after))).detail
    assert words in detail
    assert "KEY" not in detail


def test_what_is_not_toml_is_refused_with_its_line(write: Callable[[str], Path]) -> None:
    assert "line 1" in refusal(write("chains = = 1")).detail


def test_a_variable_of_the_wrong_shape_is_refused(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMN_CHAINS", "x")
    assert "chains" in refusal(write(GOOD)).detail


def test_a_file_that_was_named_must_be_there(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("")
    with pytest.raises(NotFound, match="CONFIG_MISSING"):
        load_settings(tmp_path / "other.toml")
    monkeypatch.setenv("BMN_CONFIG", "other.toml")
    with pytest.raises(NotFound, match="CONFIG_MISSING"):
        load_settings()


def test_no_file_is_no_problem_until_a_chain_is_needed(write: Callable[[str], Path], tmp_path: Path) -> None:
    write("").unlink()
    settings = load_settings()
    with pytest.raises(ConfigError, match="no chain is configured"):
        build_specs(settings)
