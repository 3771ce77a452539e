"""The vault: nothing in clear, nothing overwritten, nothing lost in between."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.api_values import DST, ORDER, ORDER_HASH, SIGNED, SRC
from tests.support.maker_values import a_vault
from tests.support.swap_values import A_SECRET

from bmn.core.compact_signature import CompactSignature
from bmn.core.errors import BadInput, NotFound, PermanentError, Refused
from bmn.core.units import BlockNumber, ChainId, Hash32, Nonce, OrderHash, Secret, TxHash, Wei
from bmn.evm.signer import LocalSigner
from bmn.maker.vault import MakerOrder, SentTx

AN_ORDER = MakerOrder(
    order_hash=ORDER_HASH,
    hashlock=A_SECRET.hashlock,
    src_chain=SRC,
    dst_chain=DST,
    order=ORDER,
    extension=SIGNED.extension,
    src_block=BlockNumber(5),
    dst_block=BlockNumber(6),
)
SIGNATURE = CompactSignature(r=Hash32.from_word(7), vs=Hash32.from_word(8))
SENT = SentTx(
    purpose="reveal",
    chain=ChainId(1),
    nonce=Nonce(4),
    hash=TxHash(b"\x05" * 32),
    max_fee=Wei(10**20),
    tip=Wei(3),
)


def files_of(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_an_order_reads_back_through_every_change(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    vault.add(AN_ORDER, A_SECRET)
    assert vault.load(ORDER_HASH) == AN_ORDER
    vault.set_signature(ORDER_HASH, SIGNATURE)
    vault.add_transaction(ORDER_HASH, SENT, b"raw bytes")
    vault.add_transaction(ORDER_HASH, SENT, b"raw bytes")
    vault.set_revealed(ORDER_HASH)
    again = a_vault(tmp_path)
    assert again.load(ORDER_HASH) == replace(AN_ORDER, signature=SIGNATURE, transactions=(SENT,), is_revealed=True)
    assert again.load_secret(ORDER_HASH) == A_SECRET
    assert again.load_raw(ORDER_HASH, SENT.hash) == b"raw bytes"


def test_neither_secret_nor_signed_bytes_are_on_disk_in_clear(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    vault.add(AN_ORDER, A_SECRET)
    vault.add_transaction(ORDER_HASH, SENT, b"before" + A_SECRET.reveal() + b"after")
    for path in files_of(tmp_path):
        content = path.read_bytes()
        for planted in (A_SECRET.reveal(), A_SECRET.reveal().hex().encode(), b"before".hex().encode()):
            assert planted not in content


def test_only_the_owner_reads_files_and_folders(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    vault.add(AN_ORDER, A_SECRET)
    vault.set_signature(ORDER_HASH, SIGNATURE)
    (path,) = (tmp_path / "maker" / "orders").glob("*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (tmp_path / "maker", tmp_path / "maker" / "orders"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_order_never_replaces_the_first(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    vault.add(AN_ORDER, A_SECRET)
    other = Secret(b"\x07" * 32)
    with pytest.raises(Refused) as error:
        vault.add(replace(AN_ORDER, hashlock=other.hashlock), other)
    assert error.value.code == "ORDER_EXISTS"
    assert vault.load_secret(ORDER_HASH) == A_SECRET
    assert [path.name for path in (tmp_path / "maker" / "orders").glob("*.json*")] == [f"{ORDER_HASH}.json"]


def test_a_file_half_written_beside_is_no_order(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    vault.add(AN_ORDER, A_SECRET)
    (tmp_path / "maker" / "orders" / f".{ORDER_HASH}.json.0123").write_text("{")
    assert [order.order_hash for order in vault.list()] == [ORDER_HASH]


def test_a_secret_that_does_not_fit_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        a_vault(tmp_path).add(AN_ORDER, Secret(bytes(32)))
    assert error.value.code == "SECRET_MISMATCH"
    assert files_of(tmp_path) == []


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    a_vault(tmp_path).add(AN_ORDER, A_SECRET)
    with pytest.raises(PermanentError) as error:
        a_vault(tmp_path, LocalSigner(b"\x22" * 32)).load_secret(ORDER_HASH)
    assert error.value.code == "UNSEAL_FAILED"


def test_an_unknown_order_is_not_found_and_a_damaged_file_said_so(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    for ask in (vault.load, vault.load_secret, vault.set_revealed):
        with pytest.raises(NotFound):
            ask(OrderHash(bytes(32)))
    vault.add(AN_ORDER, A_SECRET)
    (path,) = (tmp_path / "maker" / "orders").glob("*.json")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PermanentError) as error:
        vault.load(ORDER_HASH)
    assert error.value.code == "VAULT_DAMAGED"


def test_an_unsigned_order_is_not_published(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    vault.add(AN_ORDER, A_SECRET)
    with pytest.raises(Refused) as error:
        _ = vault.load(ORDER_HASH).signed
    assert error.value.code == "NOT_SIGNED"
