"""Cursors: opaque to clients, a place in one order to us."""

import base64
from typing import Final

import msgspec
from graphql import GraphQLError

from bmn.api.graphql.refusals import refused
from bmn.api.graphql.schema import parse_big
from bmn.store.lists import Cursor
from bmn.store.published import Column, ColumnKind

_MOST_CHARACTERS: Final = 1_000


class _Written(msgspec.Struct, array_like=True, frozen=True):
    order: str
    value: str | None
    id: str


def encode_cursor(order: Column, place: Cursor) -> str:
    """Return the cursor for a place in the order of a column."""
    value = None if place.value is None else str(place.value)
    return base64.urlsafe_b64encode(msgspec.json.encode(_Written(order.name, value, place.id))).decode()


def decode_cursor(order: Column, text: str) -> Cursor:
    """Read a cursor back.

    Raises:
        RequestRefused: BAD_CURSOR, it is not one of ours, or of another order.
    """
    try:
        if len(text) > _MOST_CHARACTERS:
            raise ValueError(len(text))
        written = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=_Written)
        if written.order != order.name or "\0" in written.id + (written.value or ""):
            raise ValueError(written.order)
        value = written.value
        if value is None or order.kind is ColumnKind.TEXT:
            return Cursor(value, written.id)
        return Cursor(parse_big(value), written.id)
    except (ValueError, GraphQLError, msgspec.DecodeError) as error:
        raise refused("BAD_CURSOR", "before and after take a cursor of a list in the same order") from error
