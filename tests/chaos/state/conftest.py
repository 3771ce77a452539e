from tests.support.drill_case import drill

__all__ = ["drill"]
