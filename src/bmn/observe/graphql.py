"""Events of the indexer's GraphQL."""

from prometheus_client import Counter

_ANSWERS = Counter("bmn_graphql_answers_total", "Answers to queries, by where they came from.", ["source"])


def answered(source: str) -> None:
    """A query was answered from `kept` answers, from the `database`, or `refused`."""
    _ANSWERS.labels(source).inc()
