"""The maker's orders on disk: one file for each, secret sealed, written before anything is signed or sent.

A lost file is lost money: files are written beside, synced and renamed, in a directory only the owner reads.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from bmn.core.compact_signature import CompactSignature, encode_signature, parse_signature
from bmn.core.errors import BadInput, NotFound, PermanentError, Refused, TransientError
from bmn.core.order import Order, decode_order, encode_order
from bmn.core.signed_order import SignedOrder
from bmn.core.units import BlockNumber, ChainId, Hashlock, Nonce, OrderHash, Secret, TxHash, Wei
from bmn.store.sealing import Sealer

KEY_PURPOSE: Final = b"bmn maker secrets v1"
"""For `LocalSigner.derive_key`: the key of the sealer belongs to the maker's own account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTx:
    """A signed transaction of the maker, stored before its broadcast."""

    purpose: str
    """What it was for, e.g. `approve`, `cancel`, `reveal`."""
    chain: ChainId
    nonce: Nonce
    hash: TxHash
    max_fee: Wei
    """Per unit of gas; a replacement must offer more."""
    tip: Wei
    """The part of it that goes to the block's producer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakerOrder:
    """One order of this maker."""

    order_hash: OrderHash
    hashlock: Hashlock
    src_chain: ChainId
    dst_chain: ChainId
    order: Order
    extension: bytes
    src_block: BlockNumber
    """Newest source block before the secret was drawn: nothing about this order is older."""
    dst_block: BlockNumber
    """The same of the destination chain."""
    signature: CompactSignature | None = None
    """None between the first write and the signing."""
    is_revealed: bool = False
    """The secret was, or may have been, given out."""
    transactions: tuple[SentTx, ...] = ()

    @property
    def signed(self) -> SignedOrder:
        """What is published.

        Raises:
            Refused: NOT_SIGNED: the tool stopped before it signed.
        """
        if self.signature is None:
            raise Refused("NOT_SIGNED", f"order {self.order_hash} was never signed", hint="create a new one")
        return SignedOrder(
            src_chain=self.src_chain, order=self.order, extension=self.extension, signature=self.signature
        )


class Vault:
    """The orders of one maker under `home`/maker/orders."""

    def __init__(self, home: Path, sealer: Sealer) -> None:
        """Use `home`; directories are made when the first order is written."""
        self._folder = home / "maker" / "orders"
        self._sealer = sealer

    def add(self, order: MakerOrder, secret: Secret) -> None:
        """Write a new order and its secret.

        Raises:
            Refused: ORDER_EXISTS: its file is there already; nothing was changed.
            BadInput: SECRET_MISMATCH: the secret does not fit the hashlock.
        """
        if secret.hashlock != order.hashlock:
            raise BadInput("SECRET_MISMATCH", "the secret does not fit the order's hashlock")
        sealed = self._sealer.seal(secret.reveal(), _secret_context(order.hashlock))
        self._make_folder()
        self._write(order.order_hash, _file_of(order, sealed, ()), is_new=True)

    def set_signature(self, order_hash: OrderHash, signature: CompactSignature) -> None:
        """Keep the signature of an order."""
        with self._changing(order_hash) as file:
            file.signature = "0x" + encode_signature(signature).hex()

    def set_revealed(self, order_hash: OrderHash) -> None:
        """Remember that the secret is about to leave; call it before it does."""
        with self._changing(order_hash) as file:
            file.is_revealed = True

    def add_transaction(self, order_hash: OrderHash, sent: SentTx, raw: bytes) -> None:
        """Keep a signed transaction; call it before the broadcast. The bytes are sealed: they may carry the secret."""
        sealed = self._sealer.seal(raw, _tx_context(sent.hash))
        with self._changing(order_hash) as file:
            if all(known.hash != str(sent.hash) for known in file.transactions):
                file.transactions.append(_tx_file(sent, sealed))

    def load(self, order_hash: OrderHash) -> MakerOrder:
        """Return an order.

        Raises:
            NotFound: MAKER_ORDER_UNKNOWN.
            PermanentError: VAULT_DAMAGED.
        """
        return _order_of(self._read(order_hash))

    def load_secret(self, order_hash: OrderHash) -> Secret:
        """Return the secret of an order.

        Raises:
            NotFound, PermanentError: as `load`; UNSEAL_FAILED when another key sealed it.
        """
        file = self._read(order_hash)
        hashlock = Hashlock.from_hex(file.hashlock)
        secret = Secret(self._open(file.sealed_secret, _secret_context(hashlock)))
        if secret.hashlock != hashlock:
            raise _damaged(order_hash)
        return secret

    def load_raw(self, order_hash: OrderHash, tx_hash: TxHash) -> bytes:
        """Return the signed bytes of one of the order's transactions.

        Raises:
            NotFound: MAKER_TX_UNKNOWN.
        """
        for known in self._read(order_hash).transactions:
            if known.hash == str(tx_hash):
                return self._open(known.sealed_raw, _tx_context(tx_hash))
        raise NotFound("MAKER_TX_UNKNOWN", f"no transaction {tx_hash} belongs to order {order_hash}")

    def list(self) -> tuple[MakerOrder, ...]:
        """Return all orders, oldest first."""
        files = sorted(self._folder.glob("0x*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        return tuple(self.load(OrderHash.from_hex(path.stem)) for path in files)

    @contextmanager
    def _changing(self, order_hash: OrderHash) -> Iterator["_OrderFile"]:
        self._read(order_hash)
        with (self._folder / ".lock").open("wb") as lock:
            # Another command may change the same order at this moment.
            fcntl.flock(lock, fcntl.LOCK_EX)
            file = self._read(order_hash)
            yield file
            self._write(order_hash, file, is_new=False)

    def _read(self, order_hash: OrderHash) -> "_OrderFile":
        try:
            raw = self._path(order_hash).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                "MAKER_ORDER_UNKNOWN", f"no order {order_hash} was made here", hint="see: bmn order list"
            ) from None
        try:
            file = msgspec.json.decode(raw, type=_OrderFile)
        except msgspec.MsgspecError:
            raise _damaged(order_hash) from None
        if file.order_hash != str(order_hash):
            raise _damaged(order_hash)
        return file

    def _write(self, order_hash: OrderHash, file: "_OrderFile", *, is_new: bool) -> None:
        path = self._path(order_hash)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(file), indent=2))
                stream.flush()
                os.fsync(stream.fileno())
            if is_new:
                # A link, unlike a rename, never replaces the file of another order.
                os.link(beside, path)
            else:
                beside.replace(path)
        except FileExistsError:
            raise Refused("ORDER_EXISTS", f"order {order_hash} is in the vault already") from None
        finally:
            beside.unlink(missing_ok=True)
        self._sync_folder(self._folder)

    def _path(self, order_hash: OrderHash) -> Path:
        return self._folder / f"{order_hash}.json"

    def _open(self, sealed: str, context: bytes) -> bytes:
        try:
            return self._sealer.open(bytes.fromhex(sealed), context)
        except TransientError as error:
            # Here nobody else has another key, so that waiting helps nothing.
            raise PermanentError(
                "UNSEAL_FAILED", "this order belongs to another account", hint="use the account that made it"
            ) from error

    def _make_folder(self) -> None:
        parents = (self._folder.parent.parent, self._folder.parent, self._folder)
        for folder in parents:
            if not folder.exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._sync_folder(folder.parent)

    @staticmethod
    def _sync_folder(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _TxFile(msgspec.Struct):
    purpose: str
    chain: int
    nonce: int
    hash: str
    max_fee: int
    tip: int
    sealed_raw: str


class _OrderFile(msgspec.Struct, forbid_unknown_fields=True):
    order_hash: str
    hashlock: str
    src_chain: int
    dst_chain: int
    order_words: str
    extension: str
    src_block: int
    dst_block: int
    signature: str | None
    is_revealed: bool
    sealed_secret: str
    transactions: list[_TxFile]


def with_signature(order: MakerOrder, signature: CompactSignature) -> MakerOrder:
    """Return the order, signed."""
    return replace(order, signature=signature)


def _file_of(order: MakerOrder, sealed_secret: bytes, transactions: tuple[_TxFile, ...]) -> _OrderFile:
    return _OrderFile(
        order_hash=str(order.order_hash),
        hashlock=str(order.hashlock),
        src_chain=order.src_chain,
        dst_chain=order.dst_chain,
        order_words=encode_order(order.order).hex(),
        extension=order.extension.hex(),
        src_block=order.src_block,
        dst_block=order.dst_block,
        signature=None if order.signature is None else "0x" + encode_signature(order.signature).hex(),
        is_revealed=order.is_revealed,
        sealed_secret=sealed_secret.hex(),
        transactions=list(transactions),
    )


def _order_of(file: _OrderFile) -> MakerOrder:
    signature = None if file.signature is None else parse_signature(bytes.fromhex(file.signature[2:]))
    return MakerOrder(
        order_hash=OrderHash.from_hex(file.order_hash),
        hashlock=Hashlock.from_hex(file.hashlock),
        src_chain=ChainId(file.src_chain),
        dst_chain=ChainId(file.dst_chain),
        order=decode_order(bytes.fromhex(file.order_words)),
        extension=bytes.fromhex(file.extension),
        src_block=BlockNumber(file.src_block),
        dst_block=BlockNumber(file.dst_block),
        signature=signature,
        is_revealed=file.is_revealed,
        transactions=tuple(
            SentTx(
                purpose=sent.purpose,
                chain=ChainId(sent.chain),
                nonce=Nonce(sent.nonce),
                hash=TxHash.from_hex(sent.hash),
                max_fee=Wei(sent.max_fee),
                tip=Wei(sent.tip),
            )
            for sent in file.transactions
        ),
    )


def _tx_file(sent: SentTx, sealed: bytes) -> _TxFile:
    return _TxFile(
        purpose=sent.purpose,
        chain=sent.chain,
        nonce=sent.nonce,
        hash=str(sent.hash),
        max_fee=sent.max_fee,
        tip=sent.tip,
        sealed_raw=sealed.hex(),
    )


def _secret_context(hashlock: Hashlock) -> bytes:
    return b"maker secret:" + hashlock


def _tx_context(tx_hash: TxHash) -> bytes:
    return b"maker tx:" + tx_hash


def _damaged(order_hash: OrderHash) -> PermanentError:
    return PermanentError(
        "VAULT_DAMAGED", f"the file of order {order_hash} does not read as one", hint="restore it from a backup"
    )
