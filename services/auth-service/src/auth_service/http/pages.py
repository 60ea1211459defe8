"""The pages that an owner sees after Zoom's consent page: what happened and what to do next."""

from dataclasses import dataclass
from html import escape
from string import Template

from fastapi.responses import HTMLResponse

from auth_service.domain.connections import Connection
from auth_service.domain.scopes import NEEDED_SCOPES, NeededScope, missing_scopes

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_LAYOUT = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem; color: #1a1a1a }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee } }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p>$text</p>
$details</main>
</body>
</html>
""")


@dataclass(frozen=True)
class Page:
    """`title` and `text` are plain text; `lists` are headings with their items."""

    status: int
    title: str
    text: str
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()


def connected(connection: Connection) -> Page:
    missing = missing_scopes(connection.scopes)
    granted = tuple(scope for scope in NEEDED_SCOPES if scope not in missing)
    lists = [("Allowed", _lines(granted))]
    if missing:
        lists.append(("Not allowed, so this will not work", _lines(missing)))
    text = "You can close this page and go back to your bookings."
    if missing:
        text = "Connect Zoom again and allow every permission, so that everything works."
    return Page(200, f"Zoom is connected: {connection.user.email}", text, tuple(lists))


def written(page: Page) -> HTMLResponse:
    details = "".join(_list(heading, items) for heading, items in page.lists)
    body = _LAYOUT.substitute(title=escape(page.title), text=escape(page.text), details=details)
    return HTMLResponse(body, page.status, headers=_HEADERS)


def _lines(scopes: tuple[NeededScope, ...]) -> tuple[str, ...]:
    return tuple(f"{scope.purpose} ({scope.name})" for scope in scopes)


def _list(heading: str, items: tuple[str, ...]) -> str:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<h2>{escape(heading)}</h2>\n<ul>{lines}</ul>\n"
