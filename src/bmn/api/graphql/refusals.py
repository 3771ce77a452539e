"""What a request is refused with: errors of GraphQL, each with a stable code, and nothing of ours in their text."""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError


class RequestRefused(Exception):
    """The request is answered with errors and without data."""

    def __init__(self, *errors: dict[str, Any]) -> None:
        """Hold the errors as they are sent."""
        super().__init__(*errors)
        self.errors: Sequence[dict[str, Any]] = errors


def refused(code: str, message: str, *, path: str | None = None) -> RequestRefused:
    """Return one error; `path` is the field of the answer that it is about."""
    error: dict[str, Any] = {"message": message}
    if path is not None:
        error["path"] = [path]
    return RequestRefused({**error, "extensions": {"code": code}})


def refused_all(code: str, errors: Sequence[GraphQLError]) -> RequestRefused:
    """Return what the library found wrong with a document or its variables."""
    return RequestRefused(*({**error.formatted, "extensions": {"code": code}} for error in errors))
