"""A page to try queries on. Nothing on it comes from another host."""

import base64
import hashlib
from importlib.resources import files
from typing import Final


def _hash_of(page: bytes, tag: str) -> str:
    """Return what a content policy calls the only script or style of the page."""
    inner = page.split(f"<{tag}>".encode(), 1)[1].split(f"</{tag}>".encode(), 1)[0]
    return "'sha256-" + base64.b64encode(hashlib.sha256(inner).digest()).decode() + "'"


PAGE: Final = files("bmn.api.graphql").joinpath("page.html").read_bytes()
PAGE_POLICY: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        (
            f"default-src 'none'; connect-src 'self'; script-src {_hash_of(PAGE, 'script')}; "
            f"style-src {_hash_of(PAGE, 'style')}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ).encode(),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of the page: what is on it runs, and nothing else."""
