from tests.support.store_databases import store, store_template
from tests.support.worlds import world

__all__ = ["store", "store_template", "world"]
