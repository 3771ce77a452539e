"""The entry of `bmn`: commands, and how their failures end."""

import sys
import traceback
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

from bmn import __version__
from bmn.core.errors import BmnError

app = App(
    name="bmn",
    help="Swap tokens across EVM chains without a bridge and without trust.",
    help_epilogue="Example: bmn demo",
    help_format="plaintext",
    version=__version__,
)
for _name, _help in (
    ("chain", "The configured chains."),
    ("config", "The settings."),
    ("contracts", "Our contracts on the chains."),
    ("devnet", "Local chains to try things on."),
    ("indexer", "The journal of the chains."),
    ("jobs", "Scheduled jobs."),
    ("keys", "Encrypted key files."),
    ("order", "Orders of a maker."),
    ("queue", "Messages between the parts."),
    ("secrets", "Secrets held in the database, and the keys that seal them."),
    ("swap", "Swaps of the resolver."),
    ("tx", "Transactions of the resolver."),
):
    app.command(f"bmn.cli.{_name}:app", name=_name, help=_help)
for _name, _help, _example in (
    ("demo", "Play three swaps on two local chains and check every balance.", "bmn demo --json"),
    ("doctor", "Check settings, database, chains, contracts and keys.", "bmn doctor --config bmn.toml"),
    ("migrate", "Bring the database to the shape this program needs.", "bmn migrate"),
    ("run", "Run indexer, resolver, API and scheduled jobs.", "bmn run --roles indexer resolver"),
    ("status", "Show chains, swaps and queues at a glance.", "bmn status --json"),
):
    app.command(f"bmn.cli.{_name}:{_name}", name=_name, help=_help, help_epilogue=f"Example: {_example}")

INTERRUPTED: Final = 130
USAGE: Final = 2
_INTERNAL: Final = 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` (by default those of the process) name, and exit.

    Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 refused, 5 chain or RPC, 6 timed out, 130 interrupted.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    sys.exit(_run(words))


def _run(words: list[str]) -> int:
    try:
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _say("USAGE", " ".join(str(error).split()), "see: bmn --help", USAGE)
    except KeyboardInterrupt:
        return _say("INTERRUPTED", "stopped by you", "", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us is gone; nothing more can be said
        return 0
    except BaseException as error:  # noqa: BLE001 - the outer edge: a person never sees a traceback unasked
        if isinstance(error, SystemExit):
            return error.code if isinstance(error.code, int) else _INTERNAL
        if "--debug" in words:
            traceback.print_exception(error)
        return _report(_first_cause(error))
    return code if isinstance(code, int) else 0


def _report(error: BaseException) -> int:
    if isinstance(error, BmnError):
        return _say(error.code, error.detail, error.hint, error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return _say("INTERRUPTED", "stopped by you", "", INTERRUPTED)
    # The text of an unknown error is not shown: it may quote a key or a URL.
    return _say("INTERNAL", f"an error nobody expected: {type(error).__name__}", "add --debug for details", _INTERNAL)


def _first_cause(error: BaseException) -> BaseException:
    """Look inside the groups in which tasks fail together; what we raised on purpose explains most."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_first_cause(inner) for inner in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, BmnError)), causes[0])


def _say(code: str, what: str, hint: str, exit_code: int) -> int:
    from bmn.cli.running import printable

    line = f"{code}: {what}" + (f" — {hint}" if hint else "")
    print(printable(line), file=sys.stderr)  # noqa: T201 - the one line
    return exit_code
