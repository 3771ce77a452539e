"""Where log lines go: standard error, as JSON or as text for people."""

import logging
import sys

import structlog


def configure_logs(*, level: str = "info", as_json: bool = False) -> None:
    """Send all log lines of `level` and above to standard error; standard output belongs to answers."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without locals: they may hold a secret, calldata or a URL.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
            if as_json
            else structlog.processors.ExceptionPrettyPrinter(sys.stderr),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries speak through the standard module; their chatter is not ours.
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, force=True)
    # The pool's warnings are tracebacks, while the database is away, of what its users log as DATABASE_UNAVAILABLE.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
