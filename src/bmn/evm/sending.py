"""What nodes say about a transaction we broadcast, sorted by what it means for its nonce.

Texts differ by client and change between releases, so this is a table of words, not of sentences. Words nobody
knows are REFUSED: whoever reads that looks at the chain before doing anything.
"""

from bmn.evm.failures import quote
from bmn.evm.types import SendOutcome, SendStatus

# The first hit counts: "replacement transaction underpriced" and "already known" may share a sentence with others.
# Seen in geth, Erigon, Nethermind, Besu, Reth, anvil, OP and Arbitrum nodes.
_WORDS: tuple[tuple[SendStatus, tuple[str, ...]], ...] = (
    (
        SendStatus.ALREADY_KNOWN,
        ("already known", "known transaction", "already imported", "alreadyknown", "already exists", "already in the"),
    ),
    (
        SendStatus.NONCE_TOO_LOW,
        ("nonce too low", "nonce is too low", "oldnonce", "invalid nonce; got", "nonce has already been used"),
    ),
    (
        SendStatus.UNDERPRICED,
        (
            "underpriced",
            "fee too low",
            "feetoolow",
            "gas price too low",
            "less than block base fee",
            "below the base fee",
            "max fee per gas less",
            "feecap",
            "less than the minimum",
            "below the minimum",
            "below minimum",
            "too low to replace",
            "does not exceed",
            "tip above",
            "txpool is full",
        ),
    ),
    (
        SendStatus.INSUFFICIENT_FUNDS,
        (
            "insufficient funds",
            "insufficientfunds",
            "insufficient balance",
            "upfront cost exceeds",
            "exceeds account balance",
        ),
    ),
)


def classify_refusal(message: str, *, where: str) -> SendOutcome:
    """Return what a node's refusal of a raw transaction means."""
    text = message.lower()
    for status, words in _WORDS:
        if any(word in text for word in words):
            return SendOutcome(status=status, detail=f"{where}: {quote(message)}")
    return SendOutcome(status=SendStatus.REFUSED, detail=f"{where}: {quote(message)}")


def best_outcome(outcomes: list[SendOutcome]) -> SendOutcome:
    """Return the outcome that decides when endpoints differ: taken anywhere is taken; then the one that says most."""
    order = list(SendStatus)
    return min(outcomes, key=lambda outcome: order.index(outcome.status))
