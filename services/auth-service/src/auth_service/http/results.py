"""Where an attempt to connect ends in the owner's browser: on the product's page, or on one of ours."""

from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import Connection
from auth_service.domain.return_addresses import with_result
from auth_service.http.outcomes import Outcome, outcome_of
from auth_service.http.pages import Pages

log: BoundLogger = get_logger(__name__)

SEE_OTHER = 303
SENT_ON: dict[int | str, dict[str, Any]] = {303: {"description": "On to the product's page, or to a choice"}}
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class Endings:
    """Ends an attempt in the owner's browser: on the product's page where there is one to go back to, else on ours."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def with_connection(self, connection: Connection, return_to: str | None) -> Response:
        if return_to is None:
            return self._pages.connected(connection)
        return redirect(with_result(return_to, {"zoom": "connected", "connection_id": connection.id}))

    def with_outcome(self, outcome: Outcome, return_to: str | None) -> Response:
        if return_to is None:
            return self._pages.ended(outcome)
        return redirect(with_result(return_to, {"zoom": outcome.result, "reason": outcome.reason}))

    def with_error(self, error: Exception, return_to: str | None = None) -> Response:
        """Say what went wrong; an error that knows where its attempt came from leads back there."""
        outcome = outcome_of(error)
        log.warning("zoom.not_connected", reason=outcome.reason, detail=str(error))
        return self.with_outcome(outcome, return_to or getattr(error, "return_to", None))


def redirect(address: str) -> Response:
    return RedirectResponse(address, SEE_OTHER, headers=_NO_STORE)
