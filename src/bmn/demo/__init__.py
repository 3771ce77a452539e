"""The demonstration: real swaps on two local chains, from signature to payment and refund."""

from bmn.demo.play import run_demo

__all__ = ["run_demo"]
