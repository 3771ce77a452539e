"""Checks the outcome from the chains alone, by a path that shares nothing with the services."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bmn.core.units import Address, TokenAmount, TxHash, Wei
from bmn.devnet.anvil import Anvil
from bmn.devnet.world import DevChain

_BALANCE_OF = "0x70a08231"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A mined transaction, as the node tells it."""

    hash: TxHash
    chain: str
    sender: Address
    block: int
    at: int
    gas: int
    paid: Wei
    """Gas used times the price paid."""
    succeeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """What some accounts hold on one chain, at its head."""

    token: Mapping[Address, TokenAmount]
    native: Mapping[Address, Wei]


@dataclass(slots=True)
class Findings:
    """What was compared, and what was wrong."""

    compared: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, found: int, expected: int) -> None:
        """Note one comparison."""
        self.compared += 1
        if found != expected:
            self.wrong.append(f"{what}: found {found}, expected {expected}, off by {found - expected}")


async def read_balances(chain: DevChain, accounts: Iterable[Address]) -> Balances:
    """Return BMN and native balances of `accounts`."""
    token: dict[Address, TokenAmount] = {}
    native: dict[Address, Wei] = {}
    for account in accounts:
        data = _BALANCE_OF + account.hex().rjust(64, "0")
        call = {"to": str(chain.contracts.access_token), "data": data}
        token[account] = TokenAmount(int(await chain.anvil.rpc("eth_call", call, "latest"), 16))
        native[account] = Wei(int(await chain.anvil.rpc("eth_getBalance", str(account), "latest"), 16))
    return Balances(token=token, native=native)


async def head_number(anvil: Anvil) -> int:
    """Return the height of the chain."""
    return int(await anvil.rpc("eth_blockNumber"), 16)


async def read_transactions(chain: DevChain, after: int) -> list[Transaction]:
    """Return every transaction in the blocks after `after`, oldest first."""
    found = []
    for number in range(after + 1, await head_number(chain.anvil) + 1):
        block = await chain.anvil.rpc("eth_getBlockByNumber", hex(number), False)
        if not block["transactions"]:
            continue
        found += [
            Transaction(
                hash=TxHash.from_hex(receipt["transactionHash"]),
                chain=chain.name,
                sender=Address.from_hex(receipt["from"].lower()),
                block=number,
                at=int(block["timestamp"], 16),
                gas=int(receipt["gasUsed"], 16),
                paid=Wei(int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)),
                succeeded=receipt["status"] == "0x1",
            )
            for receipt in await chain.anvil.rpc("eth_getBlockReceipts", hex(number))
        ]
    return found


def check_chain(
    chain: DevChain,
    *,
    before: Balances,
    after: Balances,
    moved: Mapping[Address, int],
    transactions: Sequence[Transaction],
    escrows: Sequence[Address],
    findings: Findings,
) -> None:
    """Compare every account: tokens moved as the stories say, native coin only as gas, escrows empty.

    `moved` is the expected change of BMN; accounts that are not named must not have changed.
    """
    for account, had in before.token.items():
        name = f"{chain.name} BMN of {account!s}"
        findings.expect(name, after.token[account], had + moved.get(account, 0))
    for account, had_wei in before.native.items():
        gas = sum(tx.paid for tx in transactions if tx.sender == account)
        findings.expect(f"{chain.name} native coin of {account!s}", after.native[account], had_wei - gas)
    for escrow in escrows:
        findings.expect(f"{chain.name} BMN left in escrow {escrow!s}", after.token[escrow], 0)
        findings.expect(f"{chain.name} native coin left in escrow {escrow!s}", after.native[escrow], 0)
