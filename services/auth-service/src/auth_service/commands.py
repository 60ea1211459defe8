"""Commands: serving, the organizations and clients that nobody can make over HTTP, and events the broker lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from auth_service.app import build_app, outbox_replay
from auth_service.domain.clients import UnknownScope, check_tenant_scopes
from auth_service.messaging import PUBLISHED
from auth_service.mongo.clients import Clients, ClientUnknown, OrganizationUnknown
from auth_service.settings import Settings
from convoke import mongo
from convoke.commands.outbox import outbox_commands
from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit

Result = TypeVar("Result")


def _shown_in_one_column(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise typer.BadParameter("a name has at least one character, and neither tabs nor line ends")
    return name.strip()


Name = Annotated[str, typer.Option(help="Shown in lists; need not be unique.", callback=_shown_in_one_column)]


def command_line() -> typer.Typer:
    """Return the whole command line; without a command it serves."""
    commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    commands.callback(invoke_without_command=True)(_serve_by_default)
    organizations = typer.Typer(help="Tenants.")
    organizations.command("create")(_create_organization)
    organizations.command("list")(_list_organizations)
    clients = typer.Typer(help="API clients of organizations, and the services' own.")
    clients.command("create")(_create_client)
    clients.command("list")(_list_clients)
    clients.command("revoke")(_revoke_client)
    commands.add_typer(organizations, name="organizations")
    commands.add_typer(clients, name="clients")
    commands.add_typer(outbox_commands(lambda: outbox_replay(load_or_exit(Settings)), PUBLISHED), name="outbox")
    return commands


def _serve_by_default(context: typer.Context) -> None:
    """Serve, unless a command is named."""
    if context.invoked_subcommand is None:
        settings = load_or_exit(Settings)
        set_up_logs("auth-service", settings.log_level)
        serve(build_app(settings), settings)


def _create_organization(name: Name) -> None:
    """Make an organization and print its id."""
    typer.echo(_with_clients(lambda clients: clients.create_organization(name)))


def _list_organizations() -> None:
    """List all organizations, a line each: id and name with a tab between."""
    for organization, name in _with_clients(lambda clients: clients.organizations()):
        typer.echo(f"{organization}\t{name}")


def _create_client(
    organization: Annotated[str, typer.Option(help="The organization's id.")],
    name: Name,
    scopes: Annotated[str, typer.Option(help="Space separated, such as 'bookings.write zoom.connect'.")],
) -> None:
    """Make an API client; print its id and, this once, its secret."""
    wanted = tuple(scopes.split())
    try:
        check_tenant_scopes(wanted)
        client, secret = _with_clients(lambda clients: clients.create(organization, name, wanted))
    except UnknownScope as error:
        raise typer.BadParameter(str(error), param_hint="--scopes") from None
    except OrganizationUnknown:
        raise typer.BadParameter("no organization has this id", param_hint="--organization") from None
    typer.echo(f"client_id={client.id}")
    typer.echo(f"client_secret={secret}")


def _list_clients() -> None:
    """List all clients, never their secrets, a line each: id, organization, state, scopes, name, with tabs between."""
    for client in _with_clients(lambda clients: clients.all()):
        state = "revoked" if client.is_revoked else "active"
        columns = (client.id, client.organization_id or "(service)", state, " ".join(client.scopes), client.name)
        typer.echo("\t".join(columns))


def _revoke_client(client_id: str) -> None:
    """Give a client no more tokens."""
    try:
        _with_clients(lambda clients: clients.revoke(client_id))
    except ClientUnknown:
        raise typer.BadParameter("no client has this id", param_hint="CLIENT_ID") from None
    typer.echo(f"{client_id} gets no more tokens; those it has end within five minutes")


def _with_clients(work: Callable[[Clients], Awaitable[Result]]) -> Result:
    settings = load_or_exit(Settings)

    async def run() -> Result:
        client = mongo.connect(settings.mongodb_url.get_secret_value())
        try:
            return await work(Clients(mongo.database(client, settings.mongodb_database)))
        finally:
            client.close()

    return asyncio.run(run())
