"""Our values as JSON: hashes and addresses as 0x-hex, amounts as decimal text, names of enums by value."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Final

_SAFE: Final = 2**53


def as_document(value: object) -> object:
    """Return `value` in JSON's own types. Numbers beyond what JavaScript reads exactly become text."""
    match value:
        case Enum():
            return value.value
        case bool() | float() | str() | None:
            return value
        case int():
            return value if -_SAFE < value < _SAFE else str(value)
        case bytes():
            return str(value) if type(value) is not bytes else "0x" + value.hex()
        case Mapping():
            return {str(as_document(key)): as_document(inner) for key, inner in value.items()}
        case datetime():
            return value.isoformat()
        case Path():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return [as_document(inner) for inner in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: as_document(getattr(value, field.name)) for field in fields(value) if field.repr}
        case _:
            return str(value)
