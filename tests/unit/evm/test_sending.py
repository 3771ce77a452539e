import pytest

from bmn.evm.sending import best_outcome, classify_refusal
from bmn.evm.types import SendOutcome, SendStatus

KNOWN, LOW = SendStatus.ALREADY_KNOWN, SendStatus.NONCE_TOO_LOW
UNDER, POOR, NO = SendStatus.UNDERPRICED, SendStatus.INSUFFICIENT_FUNDS, SendStatus.REFUSED


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("already known", KNOWN),  # geth, anvil: "transaction already imported"
        ("AlreadyKnown", KNOWN),  # Nethermind
        ("ALREADY_EXISTS: already known", KNOWN),  # proxies
        ("transaction already imported", KNOWN),
        ("Known transaction", KNOWN),  # Besu
        ("known transaction: 0x12", KNOWN),
        ("tx already exists in cache", KNOWN),  # Cosmos-based
        ("already in the mempool", KNOWN),
        ("nonce too low", LOW),  # anvil, geth
        ("nonce too low: next nonce 5, tx nonce 4", LOW),  # geth 1.13
        ("nonce too low: address 0x1, tx: 4 state: 5", LOW),  # Arbitrum
        ("Nonce too low", LOW),  # Besu
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 4", LOW),  # Nethermind
        ("nonce has already been used", LOW),
        ("invalid nonce; got 4, expected 5", LOW),
        ("replacement transaction underpriced", UNDER),  # geth, Reth
        ("transaction underpriced", UNDER),
        ("transaction underpriced: tip needed 1, tip permitted 0", UNDER),
        ("Replacement transaction underpriced", UNDER),  # Besu
        ("ReplacementNotAllowed: gas price too low to replace", UNDER),
        ("FeeTooLow, MaxFeePerGas too low", UNDER),  # Nethermind
        ("FeeTooLowToCompete", UNDER),
        ("max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1 baseFee: 7", UNDER),  # geth
        ("max fee per gas less than block base fee", UNDER),  # anvil
        ("Transaction gas price below the minimum configured", UNDER),
        ("gas price below configured minimum gas price; is below the minimum", UNDER),
        ("transaction gas price less than the minimum: 30 gwei", UNDER),  # Polygon
        ("gas price too low to replace", UNDER),
        ("transaction gas price below minimum: gas tip cap 0, minimum needed 25", UNDER),  # Polygon
        ("txpool is full", UNDER),  # geth: only better-paid ones enter
        ("INTERNAL_ERROR: transaction fee too low", UNDER),
        ("max priority fee per gas higher than max fee per gas", NO),
        ("insufficient funds for gas * price + value", POOR),
        ("insufficient funds for gas * price + value: address 0x1 have 1 want 2", POOR),
        ("insufficient funds for transfer", POOR),
        ("Insufficient funds for gas * price + value", POOR),  # anvil
        ("Upfront cost exceeds account balance", POOR),  # Besu
        ("InsufficientFunds, Account balance: 0, cumulative cost: 1", POOR),  # Nethermind
        ("sender doesn't have enough funds: insufficient balance", POOR),
        ("exceeds block gas limit", NO),
        ("intrinsic gas too low", NO),
        ("invalid sender", NO),
        ("invalid chain id for signer: have 1 want 2", NO),
        ("tx fee (2.00 ether) exceeds the configured cap (1.00 ether)", NO),
        ("transaction type not supported", NO),
        ("nonce too high", NO),
        ("max initcode size exceeded", NO),
        ("sender not an eoa", NO),
        ("only replay-protected (EIP-155) transactions allowed over RPC", NO),
        ("words nobody has heard yet", NO),
    ],
)
def test_each_known_wording_means_one_thing(message: str, status: SendStatus) -> None:
    outcome = classify_refusal(message, where="base/alpha")
    assert outcome.status is status
    assert outcome.detail.startswith("base/alpha: ")


def test_calldata_that_a_node_echoes_does_not_reach_the_detail() -> None:
    assert "ab" * 32 not in classify_refusal("bad tx 0x02" + "ab" * 200, where="base/alpha").detail


def test_taken_anywhere_is_taken() -> None:
    outcomes = [SendOutcome(status=status, detail="") for status in reversed(SendStatus)]
    assert best_outcome(outcomes).status is SendStatus.ACCEPTED
    assert best_outcome(outcomes[:-1]).status is SendStatus.ALREADY_KNOWN
    assert best_outcome(outcomes[:2]).status is SendStatus.INSUFFICIENT_FUNDS


@pytest.mark.parametrize("status", list(SendStatus))
def test_only_accepted_and_known_are_in_flight(status: SendStatus) -> None:
    expected = status in {SendStatus.ACCEPTED, SendStatus.ALREADY_KNOWN}
    assert SendOutcome(status=status, detail="").is_in_flight is expected
