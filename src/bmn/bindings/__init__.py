"""Logs and calldata of our contracts <-> core types."""
