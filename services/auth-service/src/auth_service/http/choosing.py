"""The page on which an owner decides between two Zoom users, before anything changes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from auth_service.domain.authorizations import Choice
from auth_service.domain.connections import Connection
from auth_service.handlers.choosing import Choosing
from auth_service.http.browsers import Browsers, is_own_form, proof_for
from auth_service.http.outcomes import ERRORS, OUTCOMES
from auth_service.http.pages import Pages
from auth_service.http.results import SEE_OTHER, SENT_ON, Endings, redirect
from convoke.openapi import pages as pages_of


def choosing_router(choosing: Choosing, browsers: Browsers, pages: Pages) -> APIRouter:
    endings = Endings(pages)
    router = APIRouter(prefix="/v1/zoom", tags=["pages"], default_response_class=HTMLResponse)

    @router.get("/choices/{choice_id}", responses={**SENT_ON, **pages_of(400, 409, 410)})
    async def show(request: Request, choice_id: str) -> Response:
        """Show both Zoom accounts, and what changing to the newer one would mean."""
        browser = browsers.of(request)
        try:
            shown = await choosing.show(choice_id, browser)
        except ERRORS as error:
            return endings.with_error(error)
        return pages.choice(shown, proof_for(browser, choice_id))

    @router.post("/choices/{choice_id}", status_code=SEE_OTHER, responses=pages_of(200, 400, 403, 409, 410, 500))
    async def decide(
        request: Request,
        choice_id: str,
        proof: Annotated[str, Form()] = "",
        decision: Annotated[Literal["accept", "keep"], Form()] = "keep",
    ) -> Response:
        """Change to the newer Zoom account, or keep the former one."""
        browser = browsers.of(request)
        if not is_own_form(browser, choice_id, proof):
            return pages.ended(OUTCOMES["another-browser"])
        try:
            choice = await choosing.find(choice_id, browser)
        except ERRORS as error:
            return endings.with_error(error)
        try:
            return await (_accepted(choice, browser) if decision == "accept" else _kept(choice))
        except ERRORS as error:
            return endings.with_error(error, choice.attempt.return_to)

    async def _accepted(choice: Choice, browser: str) -> Response:
        found = await choosing.accept(choice, browser)
        if isinstance(found, Connection):
            return endings.with_connection(found, choice.attempt.return_to)
        return redirect(found)

    async def _kept(choice: Choice) -> Response:
        await choosing.refuse(choice)
        return endings.with_outcome(OUTCOMES["kept"], choice.attempt.return_to)

    return router
