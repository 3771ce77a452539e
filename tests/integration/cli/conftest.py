from tests.support.store_databases import store_template
from tests.support.worlds import world

__all__ = ["store_template", "world"]
