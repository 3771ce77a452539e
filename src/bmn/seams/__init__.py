"""What a simulation replaces: the clock, randomness and starting of processes. Imports nothing of ours."""

from bmn.seams.clock import Clock, SystemClock
from bmn.seams.rng import Rng, SystemRng
from bmn.seams.spawner import Spawner, SystemSpawner

__all__ = ["Clock", "Rng", "Spawner", "SystemClock", "SystemRng", "SystemSpawner"]
