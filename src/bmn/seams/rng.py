"""Randomness: secrets, salts, nonces of ciphers, jitter."""

import os
import random
from typing import Protocol


class Rng(Protocol):
    """A source of randomness."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` bytes nobody can guess."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high], for jitter only."""
        ...


class SystemRng:
    """The operating system's generator for bytes, a cheap one for jitter."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` bytes nobody can guess."""
        return os.urandom(size)

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high], for jitter only."""
        return random.uniform(low, high)  # noqa: S311 - jitter guards no secret
