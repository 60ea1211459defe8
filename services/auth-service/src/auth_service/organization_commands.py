"""Commands about organizations: making and listing them, and what each has decided about Zoom."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer

from auth_service.domain.organizations import OrganizationUnknown
from auth_service.domain.return_addresses import NotAReturnAddress, registered
from auth_service.mongo.clients import Clients
from auth_service.mongo.organizations import Organizations
from auth_service.settings import Settings
from convoke import mongo
from convoke.mongo import Database
from convoke.settings import load_or_exit

Result = TypeVar("Result")


def shown_in_one_column(text: str) -> str:
    """Return a text that fits into a line of a list. Raises BadParameter."""
    if not text.strip() or not text.isprintable():
        raise typer.BadParameter("it has at least one character, and neither tabs nor line ends")
    return text.strip()


def _return_address(address: str) -> str:
    try:
        registered(address)
    except NotAReturnAddress as error:
        raise typer.BadParameter(str(error)) from None
    return address


Name = Annotated[str, typer.Option(help="Shown in lists; need not be unique.", callback=shown_in_one_column)]
OrganizationId = Annotated[str, typer.Option("--organization", help="The organization's id.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence for its administrators.", callback=shown_in_one_column)]
ReturnAddress = Annotated[
    str,
    typer.Option("--address", help="https://host/path; everything below it is allowed.", callback=_return_address),
]


def organization_commands() -> typer.Typer:
    """Return the commands of `organizations`."""
    commands = typer.Typer(help="Tenants.")
    commands.command("create")(_create)
    commands.command("list")(_list)
    commands.command("allow-return")(_allow_return)
    commands.command("forbid-return")(_forbid_return)
    commands.command("list-returns")(_list_returns)
    commands.command("zoom-off")(_zoom_off)
    commands.command("zoom-on")(_zoom_on)
    return commands


def with_database(work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Return what the work comes to, on the service's own database."""
    settings = load_or_exit(Settings)

    async def run() -> Result:
        client = mongo.connect(settings.mongodb_url.get_secret_value())
        try:
            return await work(mongo.database(client, settings.mongodb_database))
        finally:
            client.close()

    return asyncio.run(run())


def _create(name: Name) -> None:
    """Make an organization and print its id."""
    typer.echo(with_database(lambda database: Clients(database).create_organization(name)))


def _list() -> None:
    """List all organizations, a line each: id and name with a tab between."""
    for organization, name in with_database(lambda database: Clients(database).organizations()):
        typer.echo(f"{organization}\t{name}")


def _allow_return(organization: OrganizationId, address: ReturnAddress) -> None:
    """Let owners who connect Zoom be sent back to an address and to all below it; print what is allowed now."""
    _change(lambda organizations: organizations.allow_return(organization, address))
    _say_returns(organization)


def _forbid_return(organization: OrganizationId, address: ReturnAddress) -> None:
    """Take an address off again; print what is allowed now."""
    _change(lambda organizations: organizations.forbid_return(organization, address))
    _say_returns(organization)


def _list_returns(organization: OrganizationId) -> None:
    """List the addresses that owners may be sent back to, a line each."""
    for address in _returns(organization):
        typer.echo(address)


def _zoom_off(organization: OrganizationId, reason: Reason) -> None:
    """Let nobody of an organization connect Zoom; what is connected goes on. The product is told the reason."""
    _change(lambda organizations: organizations.switch_zoom_off(organization, reason))
    typer.echo("nobody of it connects Zoom from now on; what is connected goes on")


def _zoom_on(organization: OrganizationId) -> None:
    """Let an organization connect Zoom again."""
    _change(lambda organizations: organizations.switch_zoom_on(organization))
    typer.echo("its owners can connect Zoom")


def _say_returns(organization: str) -> None:
    allowed = _returns(organization)
    typer.echo("owners may be sent back to, and to all below:" if allowed else "owners may be sent back nowhere")
    for address in allowed:
        typer.echo(f"    {address}")


def _returns(organization: str) -> Sequence[str]:
    return _change(lambda organizations: organizations.find(organization)).return_addresses


def _change(work: Callable[[Organizations], Awaitable[Result]]) -> Result:
    try:
        return with_database(lambda database: work(Organizations(database)))
    except OrganizationUnknown:
        raise typer.BadParameter("no organization has this id", param_hint="--organization") from None
