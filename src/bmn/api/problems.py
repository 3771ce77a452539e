"""Errors as RFC 9457 problem documents. Nothing of the request is quoted, and no traceback leaves the process."""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from bmn.core.errors import BadInput, BmnError, NotFound, Refused, TransientError
from bmn.observe import api as observe

MEDIA_TYPE: Final = "application/problem+json"
_DOCS: Final = "/docs/errors#"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The document."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    docs: str


def problem(status: int, code: str, detail: str, *, hint: str = "") -> Response[Problem]:
    """Return the answer for one failure."""
    document = Problem(
        type=f"urn:bmn:error:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        hint=hint,
        docs=_DOCS + code.lower(),
    )
    return Response(document, status_code=status, media_type=MEDIA_TYPE)


def answer_bmn_error(_request: Request[Any, Any, Any], error: BmnError) -> Response[Problem]:
    """Answer an error of ours by its class."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status == 500:
        observe.request_failed(type(error).__name__)
    return problem(status, error.code, error.detail, hint=error.hint)


def answer_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answer what the framework refuses before a route runs: bad JSON, unknown fields, wrong path, too large."""
    if isinstance(error, ValidationException):
        return problem(400, "BAD_BODY", f"the request does not have the right shape: {_places(error)}")
    code, detail = _CODES.get(error.status_code, ("BAD_REQUEST", HTTPStatus(error.status_code).description))
    answer = problem(error.status_code, code, detail or HTTPStatus(error.status_code).phrase)
    answer.headers.update(error.headers or {})
    return answer


def answer_unexpected(_request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer a defect of ours."""
    observe.request_failed(type(error).__name__)
    return problem(500, "INTERNAL", "something went wrong on our side", hint="try again; your request may have counted")


_STATUS: Final = ((BadInput, 400), (NotFound, 404), (Refused, 422), (TransientError, 503))
_CODES: Final = {
    400: ("BAD_BODY", "the body is not the JSON this call takes"),
    401: ("NO_TOKEN", "this call needs the operator's token: Authorization: Bearer TOKEN"),
    404: ("NO_SUCH_PATH", "there is nothing at this path"),
    405: ("METHOD_NOT_ALLOWED", "this path does not take this method"),
    413: ("BODY_TOO_LARGE", "the body is larger than this call takes"),
}


def _places(error: ValidationException) -> str:
    """Return the decoder's words: fields and types, never a value, nor a name that could be one."""
    extra = error.extra if isinstance(error.extra, list) else []
    words = [
        f"{entry.get('key', 'body')}: {_UNKNOWN.sub('unknown field', entry.get('message', ''))}" for entry in extra
    ]
    return "; ".join(words)[:300] or "see the documentation"


# A secret sent as the name of a field must not come back; names that people mistype may.
_UNKNOWN = re.compile(r"unknown field `(?![A-Za-z_]{1,24}`).*", re.DOTALL)
