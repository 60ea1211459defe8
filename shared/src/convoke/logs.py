"""JSON lines on standard output: dotted event names, fields beside them, and nothing that is secret or personal."""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRET_FIELDS = frozenset(
    "access_token refresh_token token code code_verifier client_secret password passcode join_url start_url "
    "authorization email name phone url".split()
)
_SECRET_TEXTS = re.compile(
    r"(?P<bearer>[Bb]earer\s+)[\w.~+/=-]+|(?P<query>(?:pwd|zak|code|token|state)=)[^&\s\"']+"
    r"|(?P<credentials>://)[^/\s@]+@|(?P<mail>)[\w.+-]+@[\w-]+\.[\w.]+"
)


def set_up_logs(service: str, level: str) -> None:
    """Send structlog and the standard library's loggers to one JSON stream."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _add_service(service),
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace what is secret or personal, by field name and inside texts."""
    return {
        key: "[redacted]" if key in _SECRET_FIELDS else _redacted(value) if isinstance(value, str) else value
        for key, value in event.items()
    }


def _redacted(text: str) -> str:
    return _SECRET_TEXTS.sub(
        lambda found: f"{found['bearer'] or found['query'] or found['credentials'] or ''}[redacted]", text
    )


def _add_service(service: str) -> structlog.typing.Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


class _ToStructlog(logging.Handler):
    """Libraries log through the standard library; their lines must be JSON and redacted too."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(
            record.levelno,
            "library.message",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )
