"""The page that an attempt begins with: what will be asked for, before Zoom asks."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from auth_service.domain.authorizations import Link
from auth_service.handlers.connecting import Connecting
from auth_service.http.browsers import Browsers, is_own_form, new_browser, proof_for
from auth_service.http.outcomes import ERRORS, OUTCOMES
from auth_service.http.pages import Pages
from auth_service.http.results import SEE_OTHER, SENT_ON, Endings, redirect
from convoke.openapi import pages as pages_of


def starting_router(connecting: Connecting, browsers: Browsers, pages: Pages, consent_url: str) -> APIRouter:
    endings = Endings(pages)
    router = APIRouter(prefix="/v1/zoom", tags=["pages"], default_response_class=HTMLResponse)

    @router.get("/authorizations/{link}", responses={**SENT_ON, **pages_of(400, 403, 409, 410)})
    async def start(request: Request, link: str) -> Response:
        """Show who asks for Zoom and what will be allowed, before Zoom does."""
        browser = browsers.of(request) or new_browser()
        try:
            begun = await connecting.begun(Link.read(link), browser)
        except ERRORS as error:
            return endings.with_error(error)
        page = pages.start(begun, proof_for(browser, link), consent_url)
        browsers.remember(page, browser)
        return page

    @router.post("/authorizations/{link}", status_code=SEE_OTHER, responses=pages_of(400, 403, 409, 410))
    async def proceed(request: Request, link: str, proof: Annotated[str, Form()] = "") -> Response:
        """Lead on to Zoom, in the one browser that may come back."""
        browser = browsers.of(request)
        if not is_own_form(browser, link, proof):
            return pages.ended(OUTCOMES["another-browser"])
        try:
            return redirect(await connecting.proceed(Link.read(link), browser))
        except ERRORS as error:
            return endings.with_error(error)

    return router
