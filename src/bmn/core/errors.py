"""Errors whose class says what to do next; each carries a stable code, what happened and what to do."""


class BmnError(Exception):
    """Anything we raise on purpose. Never carries a secret, a key or an RPC URL."""

    exit_code = 1

    def __init__(self, code: str, detail: str, *, hint: str = "") -> None:
        """Describe one failure: stable `code`, `detail` (what happened and why), `hint` (what to do)."""
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" + (f" ({self.hint})" if self.hint else "")


class TransientError(BmnError):
    """Retry: the same call may succeed later."""


class ChainError(TransientError):
    """A chain or its endpoints did not answer as needed."""

    exit_code = 5


class TimedOut(TransientError):
    """A bound on waiting was reached."""

    exit_code = 6


class PermanentError(BmnError):
    """Park it for a person: trying again changes nothing."""


class BadInput(PermanentError):
    """Input from outside is not what it must be; nothing was changed."""

    exit_code = 2


class NotFound(PermanentError):
    """The thing named is not there."""

    exit_code = 3


class Refused(PermanentError):
    """A rule or a precondition says no."""

    exit_code = 4


class ConfigError(BmnError):
    """Do not start."""

    exit_code = 4


class InvariantViolation(BmnError):
    """Facts contradict each other or our own rules: stop this swap and page a person."""
