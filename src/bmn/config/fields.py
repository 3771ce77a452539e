"""Field types of the settings: text of a file or an environment variable to core types."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator

from bmn.core.errors import BadInput
from bmn.core.units import Address


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError("an address is text, 0x and 40 hex digits")  # noqa: TRY004 - pydantic collects ValueErrors
    try:
        return Address.from_hex(value)
    except BadInput as error:
        raise ValueError(error.detail) from error


def _web_url(value: str) -> str:
    # The value itself is never shown: an RPC URL carries a key.
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise ValueError("a URL starts with http:// or https:// and names a host")
    return value


def _socket_url(value: str) -> str:
    if not re.fullmatch(r"wss?://[^\s/]+(/\S*)?", value):
        raise ValueError("a WebSocket URL starts with ws:// or wss:// and names a host")
    return value


def _endpoint(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _schedule(value: object) -> object:
    return {"spec": value} if isinstance(value, str) else value


AddressField = Annotated[Address, PlainValidator(_address), PlainSerializer(str, return_type=str)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
PlainOrTable = BeforeValidator(_endpoint)
"""An endpoint may be written as its URL alone."""
PlainOrZoned = BeforeValidator(_schedule)
"""A schedule may be written as its text alone."""
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]
DecimalText = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
"""An amount as people write it."""
FilePath = Path
"""Relative ones count from the folder of the file that names them."""
