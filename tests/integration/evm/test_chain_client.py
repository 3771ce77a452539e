"""The typed client against a real node."""

import asyncio

import pytest

from bmn.core.errors import ChainError
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId, Gas, Hash32, Nonce, TxHash, Wei
from bmn.devnet.anvil import Anvil
from bmn.evm.bloom import bloom_mask, may_contain
from bmn.evm.client import RpcChain
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer
from bmn.evm.failures import CallReverted
from bmn.evm.tx import SignedTx, UnsignedTx, sign_tx
from bmn.evm.types import BlockTag, Head, Receipt, SendStatus, TxStatus

ECHO = Address(b"\xec" * 20)
TOPIC = Hash32.from_word(0xAA)
# No calldata: reverts with deadbeef. Else: logs the calldata under topic 0xaa and returns it.
ECHO_CODE = "0x3660145763deadbeef60e01b60005260046000fd5b366000600037 60aa366000a1366000f3".replace(" ", "")


@pytest.fixture(autouse=True)
async def echo(anvil: Anvil) -> None:
    await anvil.rpc("anvil_setCode", str(ECHO), ECHO_CODE)


async def signed(chain: RpcChain, data: bytes, *, key: int = 1, to: Address | None = ECHO, nonce: int = -1) -> SignedTx:
    signer = dev_signer(key, [ChainId(31337)])
    fees = await chain.fee_suggestion()
    return await sign_tx(
        signer,
        UnsignedTx(
            chain_id=ChainId(31337),
            nonce=await chain.nonce(signer.address, BlockTag.HEAD) if nonce < 0 else Nonce(nonce),
            max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
            max_fee_per_gas=fees.max_fee_per_gas,
            gas=Gas(200_000),
            to=to,
            value=Wei(0),
            data=data,
        ),
    )


async def mined(chain: RpcChain, tx: SignedTx) -> Receipt:
    assert (await chain.send_raw(tx.raw)).status is SendStatus.ACCEPTED
    async with asyncio.timeout(10):
        while (receipt := await chain.receipt(tx.hash)) is None:
            pass
    return receipt


async def head_of(chain: RpcChain) -> Head:
    head = await chain.block(BlockTag.HEAD)
    assert head is not None
    return head


async def test_a_sent_transaction_is_found_by_every_read(chain: RpcChain) -> None:
    tx = await signed(chain, b"hello")
    receipt = await mined(chain, tx)
    assert receipt.tx_hash == tx.hash
    assert receipt.status is TxStatus.SUCCEEDED
    assert receipt.cost == receipt.gas_used * receipt.effective_gas_price > 0
    (log,) = receipt.logs
    assert (log.address, log.topics, log.data) == (ECHO, (TOPIC,), b"hello")
    view = await chain.transaction(tx.hash)
    assert view is not None
    assert (view.sender, view.nonce, view.to, view.input) == (tx.sender, tx.nonce, ECHO, b"hello")
    assert view.block_hash == receipt.block_hash
    assert await chain.logs(block_hash=receipt.block_hash, addresses=[ECHO], topics=[[TOPIC]]) == (log,)
    assert await chain.logs_range(receipt.block_number, receipt.block_number) == (log,)
    assert await chain.receipts([TxHash(bytes(32)), tx.hash]) == (None, receipt)


async def test_filters_hold_back_other_addresses_and_topics(chain: RpcChain) -> None:
    receipt = await mined(chain, await signed(chain, b"hello"))
    block = receipt.block_hash
    assert await chain.logs(block_hash=block, addresses=[DEV_ADDRESSES[0]]) == ()
    assert await chain.logs(block_hash=block, topics=[[Hash32(bytes(32))]]) == ()
    assert await chain.logs(block_hash=block, topics=[[Hash32(bytes(32)), TOPIC]]) == receipt.logs
    assert await chain.logs(block_hash=block, topics=[None]) == receipt.logs


async def test_the_bloom_of_a_real_header_holds_the_log_and_not_a_stranger(chain: RpcChain) -> None:
    receipt = await mined(chain, await signed(chain, b"hello"))
    head = await chain.block(receipt.block_hash)
    assert head is not None
    assert may_contain(head.logs_bloom, bloom_mask(ECHO))
    assert may_contain(head.logs_bloom, bloom_mask(TOPIC))
    assert not may_contain(head.logs_bloom, bloom_mask(DEV_ADDRESSES[5]))
    assert not head.is_empty


async def test_headers_link_by_parent_hash_and_know_whether_they_are_empty(anvil: Anvil, chain: RpcChain) -> None:
    await anvil.mine(3)
    head = await head_of(chain)
    first, second, beyond = await chain.blocks(
        [BlockNumber(head.number - 1), head.number, BlockNumber(head.number + 1)]
    )
    assert first is not None
    assert second == head
    assert head.parent_hash == first.hash
    assert head.is_empty
    assert len(head.logs_bloom) == 256
    assert beyond is None
    assert await chain.block(BlockHash(b"\x11" * 32)) is None


async def test_finality_tags_trail_the_head(anvil: Anvil, chain: RpcChain) -> None:
    await anvil.mine(3)
    head = await head_of(chain)
    safe, finalized = await chain.block(BlockTag.SAFE), await chain.block(BlockTag.FINALIZED)
    assert safe is not None
    assert finalized is not None
    assert finalized.number < safe.number < head.number


async def test_state_can_be_read_as_of_a_block_hash(anvil: Anvil, chain: RpcChain) -> None:
    somebody = Address(b"\x77" * 20)
    before = await head_of(chain)
    await anvil.mine()
    await anvil.set_balance(somebody, Wei(5))
    await anvil.mine()
    after = await head_of(chain)
    assert await chain.balance(somebody, before.hash) == 0
    assert await chain.balance(somebody, after.hash) == 5
    assert await chain.balance(somebody, after.number) == 5
    assert await chain.code(somebody, after.hash) == b""
    assert len(await chain.code(ECHO, BlockTag.HEAD)) == len(ECHO_CODE) // 2 - 1


async def test_a_read_at_an_unknown_or_replaced_block_is_an_error_not_zero(anvil: Anvil, chain: RpcChain) -> None:
    await anvil.mine(2)
    gone = await head_of(chain)
    await anvil.reorg(1)
    for block in (gone.hash, BlockHash(b"\x11" * 32)):
        with pytest.raises(ChainError):
            await chain.balance(DEV_ADDRESSES[0], block)
        with pytest.raises(ChainError):
            await chain.logs(block_hash=block)


async def test_a_call_answers_or_carries_the_contracts_refusal(chain: RpcChain) -> None:
    head = await head_of(chain)
    assert await chain.call(ECHO, b"ping", head.hash) == b"ping"
    with pytest.raises(CallReverted) as caught:
        await chain.call(ECHO, b"", head.hash, sender=DEV_ADDRESSES[0], value=Wei(1))
    assert caught.value.data.hex() == "deadbeef"
    answers = await chain.call_many([(ECHO, b"a"), (ECHO, b""), (ECHO, b"c")], head.hash)
    assert answers == (b"a", CallReverted(bytes.fromhex("deadbeef"), detail=""), b"c")


async def test_more_calls_than_one_body_holds_come_back_in_order(chain: RpcChain) -> None:
    calls = [(ECHO, number.to_bytes(2, "big")) for number in range(1, 252)]
    assert await chain.call_many(calls, BlockTag.HEAD) == tuple(data for _, data in calls)


async def test_gas_is_estimated_unless_the_contract_refuses(chain: RpcChain) -> None:
    assert await chain.estimate_gas(sender=DEV_ADDRESSES[1], to=ECHO, data=b"x") > 21_000
    with pytest.raises(CallReverted):
        await chain.estimate_gas(sender=DEV_ADDRESSES[1], to=ECHO, data=b"")


async def test_a_reverted_transaction_has_a_receipt_that_says_so(chain: RpcChain) -> None:
    receipt = await mined(chain, await signed(chain, b""))
    assert receipt.status is TxStatus.REVERTED
    assert receipt.logs == ()


async def test_a_created_contract_is_named_by_its_receipt(chain: RpcChain) -> None:
    receipt = await mined(chain, await signed(chain, bytes.fromhex("60016000f3"), to=None))
    assert receipt.contract_address is not None
    assert await chain.code(receipt.contract_address, BlockTag.HEAD) == b"\x00"


async def test_a_used_nonce_and_an_empty_account_are_told_apart(anvil: Anvil, chain: RpcChain) -> None:
    used = await signed(chain, b"first")
    await mined(chain, used)
    again = await signed(chain, b"second", nonce=used.nonce)
    assert (await chain.send_raw(again.raw)).status is SendStatus.NONCE_TOO_LOW
    poor = await signed(chain, b"x", key=9)
    await anvil.set_balance(DEV_ADDRESSES[9], Wei(0))
    assert (await chain.send_raw(poor.raw)).status is SendStatus.INSUFFICIENT_FUNDS


async def test_the_same_bytes_twice_are_known_and_a_cheap_rival_is_underpriced(anvil: Anvil, chain: RpcChain) -> None:
    await anvil.set_automine(on=False)
    try:
        tx = await signed(chain, b"one", key=2)
        rival = await signed(chain, b"two", key=2)
        assert (await chain.send_raw(tx.raw)).status is SendStatus.ACCEPTED
        assert (await chain.send_raw(tx.raw)).status is SendStatus.ALREADY_KNOWN
        assert (await chain.send_raw(rival.raw)).status is SendStatus.UNDERPRICED
        waiting = await chain.transaction(tx.hash)
        assert waiting is not None
        assert waiting.block_hash is None
        assert await chain.receipt(tx.hash) is None
        assert await chain.nonce(tx.sender, BlockTag.HEAD) == tx.nonce
    finally:
        await anvil.set_automine(on=True)
        await anvil.mine()


async def test_rubbish_is_refused_with_the_nodes_words(chain: RpcChain) -> None:
    outcome = await chain.send_raw(b"\x02\xc0")
    assert outcome.status is SendStatus.REFUSED
    assert outcome.detail.startswith("local/anvil: ")


async def test_a_range_beyond_the_head_is_an_error_not_an_empty_list(chain: RpcChain) -> None:
    head = await head_of(chain)
    with pytest.raises(ChainError) as caught:
        await chain.logs_range(head.number, BlockNumber(head.number + 1))
    assert caught.value.code == "NODE_BEHIND"


async def test_suggested_fees_pay_a_doubled_base_fee(chain: RpcChain) -> None:
    head = await head_of(chain)
    fees = await chain.fee_suggestion()
    assert fees.max_fee_per_gas == 2 * head.base_fee + fees.max_priority_fee_per_gas
    assert await chain.chain_id() == 31337
