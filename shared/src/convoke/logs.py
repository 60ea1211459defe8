"""JSON lines on standard output: dotted event names, fields beside them, and nothing that is secret or personal.

What is logged while something is handled carries its trace's id, by which all services' lines about it are found.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from convoke.tracing import current_trace_id

_HIDDEN_NAME = (
    r"(?:\w{0,40}_)?(?:token|secret|password|passcode|authorization|email|zak|pwd|assertion|verifier)"
    r"|join_address|manage_address|name|phone|cookie|set-cookie|encryption_keys|jwt_signing_keys|marker_key"
)
_SECRET_FIELD = re.compile(rf"{_HIDDEN_NAME}|(?:\w{{0,40}}_)?url|code|state", re.IGNORECASE)
# Repetitions are bounded, so that a long text costs a multiple of its length and not its square.
_SECRET_TEXTS = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]+"
    r"|\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"  # a JWT, wherever it stands
    r"|(?P<credentials>://)[^\s/\"']{1,300}@"
    r"|(?P<path>https?://[^\s/\"']{1,255}/(?:j|s|w|wc/join|manage)/)[^\s\"'<>]+"  # who has the link is let in
    r"|(?P<query>\b(?:code|state)=)[^&\s\"']+"
    rf"|(?P<pair>(?<![\w-])[\"']?(?:{_HIDDEN_NAME})[\"']?\s?[=:]\s?(?:bearer |basic )?)"
    r"(?:\"[^\"]*\"|'[^']*'|[^&\s\"',;)}\]]+)"
    r"|(?P<input>\binput_value=).{0,200}?(?=, input_type=)"  # pydantic repeats what it refuses
    r"|[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",
    re.IGNORECASE,
)
_PLAIN = (bool, int, float, type(None))


def set_up_logs(service: str, level: str) -> None:
    """Send structlog and the standard library's loggers to one JSON stream."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _add_service(service),
            _add_trace,
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace what is secret or personal, by field name and inside texts, however deep it lies."""
    return {key: _of_field(key, value) for key, value in event.items()}


def _of_field(name: object, value: Any) -> Any:
    return "[redacted]" if _SECRET_FIELD.fullmatch(str(name)) else _redacted(value)


def _redacted(value: Any) -> Any:
    """Return a value as JSON has it; what is no JSON is told by its redacted `repr`."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {_text(str(name)): _of_field(name, content) for name, content in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(content) for content in value]
    return _text(value if isinstance(value, str) else repr(value))


def _text(text: str) -> str:
    return _SECRET_TEXTS.sub(_without_secret, text)


def _without_secret(found: re.Match[str]) -> str:
    return f"{next(filter(None, found.groups()), '')}[redacted]"


def _add_service(service: str) -> structlog.typing.Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _add_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    trace_id = current_trace_id()
    if trace_id is not None:
        event["trace_id"] = trace_id
    return event


class _ToStructlog(logging.Handler):
    """Libraries log through the standard library; their lines must be JSON and redacted too."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(
            record.levelno,
            "library.message",
            logger=record.name,
            message=_message_of(record),
            exc_info=record.exc_info,
        )


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's mistake in logging must not become ours
        return f"{record.msg!r}, whose arguments do not fit"
