from tests.support.lane_databases import lane_database, lane_template

__all__ = ["lane_database", "lane_template"]
