"""Bridge-Me-Not: swaps tokens across EVM chains without a bridge and without trust."""

__version__ = "0.1.0"
