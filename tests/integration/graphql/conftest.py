from tests.support.store_databases import store, store_template

__all__ = ["store", "store_template"]
