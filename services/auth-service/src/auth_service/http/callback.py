"""Where Zoom sends the owner back to. Without a state of ours no code is ever exchanged."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from auth_service.domain.authorizations import Authorization
from auth_service.domain.connections import Connection
from auth_service.domain.refusals import reason_of
from auth_service.handlers.connecting import Connecting
from auth_service.http.browsers import Browsers
from auth_service.http.outcomes import ERRORS, OUTCOMES, Outcome
from auth_service.http.pages import Pages
from auth_service.http.results import SENT_ON, Endings, redirect
from convoke.openapi import pages as pages_of


def callback_router(connecting: Connecting, browsers: Browsers, pages: Pages) -> APIRouter:
    endings = Endings(pages)
    router = APIRouter(prefix="/v1/zoom", tags=["pages"], default_response_class=HTMLResponse)

    @router.get("/callback", responses={**SENT_ON, **pages_of(400, 403, 409, 410, 500, 502)})
    async def callback(
        request: Request,
        code: Annotated[str, Query()] = "",
        state: Annotated[str, Query()] = "",
        error: Annotated[str, Query()] = "",
        error_description: Annotated[str, Query()] = "",
    ) -> Response:
        """Take the owner back from Zoom. Without a state of ours no code is ever exchanged."""
        declined = _declined(error, error_description)
        if not state:
            return pages.ended(declined) if declined else pages.installed()
        browser = browsers.of(request)
        try:
            attempt = await connecting.come_back(state, browser)
        except ERRORS as failure:
            return endings.with_error(failure)
        if declined or not code:
            return endings.with_outcome(declined or OUTCOMES["no-code"], attempt.return_to)
        return await _finished(attempt, code, browser)

    async def _finished(attempt: Authorization, code: str, browser: str) -> Response:
        try:
            found = await connecting.finish(attempt, code, browser)
        except ERRORS as failure:
            return endings.with_error(failure, attempt.return_to)
        if isinstance(found, Connection):
            return endings.with_connection(found, attempt.return_to)
        return redirect(f"choices/{found}")

    return router


def _declined(error: str, description: str) -> Outcome | None:
    """Return what Zoom's error means; None where there is none."""
    if not error:
        return None
    return OUTCOMES[reason_of(f"{description} {error}") or "zoom-error"]
