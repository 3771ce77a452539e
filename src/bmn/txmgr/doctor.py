"""What is wrong with the nonces of a lane, told from the chain and our own tables. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from bmn.core.units import Nonce


class Ailment(Enum):
    """Why a nonce stops all later ones."""

    HOLE = "hole"
    """We signed for later nonces and never for this one; the lane fills it with a self-transfer."""
    LOST = "lost"
    """What we signed for it was final and is gone: a reorganisation deeper than the configured depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One nonce that blocks its lane."""

    nonce: Nonce
    ailment: Ailment


def diagnose(latest: Nonce, after: Nonce, signed: Collection[Nonce], held: Collection[Nonce | None]) -> list[Finding]:
    """Return what blocks the lane, lowest nonce first.

    `latest` is the chain's next unused nonce, `after` our own; `signed` are nonces we ever signed for, `held` those of
    intents that are not final.
    """
    findings = []
    for number in range(latest, after):
        nonce = Nonce(number)
        if nonce not in held:
            ailment = Ailment.LOST if nonce in signed else Ailment.HOLE
            findings.append(Finding(nonce=nonce, ailment=ailment))
    return findings
