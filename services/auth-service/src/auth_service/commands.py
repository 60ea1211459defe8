"""Commands: serving, the organizations and clients that nobody can make over HTTP, and events the broker lost."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from auth_service.app import build_app, dead_letter_office, outbox_replay, rekeying
from auth_service.domain.clients import UnknownScope, check_tenant_scopes
from auth_service.domain.organizations import OrganizationUnknown
from auth_service.messaging import PUBLISHED
from auth_service.mongo.clients import Clients, ClientUnknown
from auth_service.organization_commands import Name, organization_commands, with_database
from auth_service.settings import Settings
from convoke.commands.dead_letters import dead_letter_commands
from convoke.commands.outbox import outbox_commands
from convoke.commands.rekey import rekey_command
from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit

Result = TypeVar("Result")


def command_line() -> typer.Typer:
    """Return the whole command line; without a command it serves."""
    commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    commands.callback(invoke_without_command=True)(_serve_by_default)
    clients = typer.Typer(help="API clients of organizations, and the services' own.")
    clients.command("create")(_create_client)
    clients.command("list")(_list_clients)
    clients.command("revoke")(_revoke_client)
    commands.add_typer(organization_commands(), name="organizations")
    commands.add_typer(clients, name="clients")
    commands.add_typer(dead_letter_commands(lambda: dead_letter_office(load_or_exit(Settings))), name="dead-letters")
    commands.add_typer(outbox_commands(lambda: outbox_replay(load_or_exit(Settings)), PUBLISHED), name="outbox")
    commands.command("rekey")(rekey_command(lambda: rekeying(load_or_exit(Settings))))
    return commands


def _serve_by_default(context: typer.Context) -> None:
    """Serve, unless a command is named."""
    if context.invoked_subcommand is None:
        settings = load_or_exit(Settings)
        set_up_logs("auth-service", settings.log_level)
        serve(build_app(settings), settings)


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
    return with_database(lambda database: work(Clients(database)))
