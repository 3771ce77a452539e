"""A world of two chains for the maker tools."""

from tests.support.worlds import world

__all__ = ["world"]
