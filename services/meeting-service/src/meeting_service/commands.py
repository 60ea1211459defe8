"""Commands: serving, repairing what is owed to Zoom, and dead letters and events that the broker lost."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, TypeVar

import typer

from convoke.clock import utc_now
from convoke.commands.dead_letters import dead_letter_commands
from convoke.commands.outbox import outbox_commands
from convoke.commands.rekey import rekey_command
from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit
from meeting_service.app import auditing, build_app, dead_letter_office, deciding, outbox_replay, rekeying, repairing
from meeting_service.domain.repairs import RepairPlan
from meeting_service.messaging import PUBLISHED
from meeting_service.ports import Refused
from meeting_service.repairs import Repairs, Scope
from meeting_service.settings import Settings

Result = TypeVar("Result")
Organization = Annotated[str, typer.Option(help="The organization's id.")]
Host = Annotated[str | None, typer.Option(help="The id of one of its hosts; all of them where none is named.")]
Session = Annotated[str, typer.Argument(help="The session's id.")]
ZoomMeeting = Annotated[int, typer.Argument(help="The id of the meeting in Zoom; the reason names those it may be.")]
IncludeEarlier = Annotated[
    bool, typer.Option("--include-earlier", help="Also add links to bookings from before Zoom was connected.")
]


def command_line() -> typer.Typer:
    """Return the whole command line; without a command it serves."""
    commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    commands.callback(invoke_without_command=True)(_serve_by_default)
    repair = typer.Typer(help="Links, times and deletions that are owed to Zoom.")
    repair.command("plan")(_plan)
    repair.command("run")(_run)
    commands.add_typer(repair, name="repair")
    commands.command("audit")(_audit)
    meetings = typer.Typer(help="Decide what nothing else can tell: several meetings may be a session's.")
    meetings.command("adopt")(_adopt)
    meetings.command("create-anew")(_create_anew)
    commands.add_typer(meetings, name="meetings")
    commands.add_typer(dead_letter_commands(lambda: dead_letter_office(load_or_exit(Settings))), name="dead-letters")
    commands.add_typer(outbox_commands(lambda: outbox_replay(load_or_exit(Settings)), PUBLISHED), name="outbox")
    commands.command("rekey")(rekey_command(lambda: rekeying(load_or_exit(Settings))))
    return commands


def _serve_by_default(context: typer.Context) -> None:
    """Serve, unless a command is named."""
    if context.invoked_subcommand is None:
        settings = load_or_exit(Settings)
        set_up_logs("meeting-service", settings.log_level)
        serve(build_app(settings), settings)


def _plan(organization: Organization, host: Host = None) -> None:
    """Say what is owed, and change nothing."""
    _say_plan(_with_repairs(lambda repairs: repairs.plan(Scope(organization, host))))


def _run(organization: Organization, host: Host = None, *, include_earlier: IncludeEarlier = False) -> None:
    """Have done now what is owed; safe to repeat."""
    begun = _with_repairs(lambda repairs: repairs.run(Scope(organization, host), include_earlier=include_earlier))
    _say_plan(begun.plan)
    typer.echo(f"begun: {_sessions(begun.nudged)}, {begun.included} of them from before Zoom was connected")


def _adopt(session: Session, zoom_meeting: ZoomMeeting) -> None:
    """Say which of the meetings in doubt is the session's."""
    _decide(session, zoom_meeting)


def _create_anew(session: Session) -> None:
    """Say that none of the meetings in doubt is the session's: a new one is made."""
    _decide(session, None)


def _decide(session: str, zoom_meeting_id: int | None) -> None:
    if not asyncio.run(_decided(load_or_exit(Settings), session, zoom_meeting_id)):
        typer.echo(f"'{session}' does not wait for a decision: only zoom_not_unique does", err=True)
        raise typer.Exit(1)
    typer.echo("decided; the service goes on within seconds, and waits again where that meeting cannot be it")


async def _decided(settings: Settings, session: str, zoom_meeting_id: int | None) -> bool:
    async with deciding(settings) as meetings:
        return await meetings.decide(session, zoom_meeting_id, utc_now())


def _audit(
    organization: Annotated[str | None, typer.Option(help="The organization's id; all where none is named.")] = None,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Have mended what differs.")] = False,
) -> None:
    """Compare all sessions ahead with Zoom's lists; ends with status 1 where something differs."""
    settings = load_or_exit(Settings)
    set_up_logs("meeting-service", settings.log_level)
    differences = asyncio.run(_audited(settings, organization, repair=repair))
    if differences and repair:
        typer.echo("the service mends what it can; ask again in a minute")
    typer.echo(_many(differences, "difference", "differences"))
    raise typer.Exit(1 if differences else 0)


async def _audited(settings: Settings, organization: str | None, *, repair: bool) -> int:
    differences = 0
    async with auditing(settings) as audit:
        async for finding in audit.run(organization, repair=repair):
            typer.echo(f"{finding.of}: {_sessions(finding.compared)} against {finding.listed} at Zoom")
            for text in finding.differences:
                typer.echo(f"    {text}")
            differences += len(finding.differences)
    return differences


def _with_repairs(work: Callable[[Repairs], Awaitable[Result]]) -> Result:
    settings = load_or_exit(Settings)

    async def run() -> Result:
        async with repairing(settings) as repairs:
            return await work(repairs)

    try:
        return asyncio.run(run())
    except Refused as refused:
        typer.echo(f"{refused.detail}: it knows the connections to Zoom; try again when it runs", err=True)
        raise typer.Exit(1) from None


def _say_plan(plan: RepairPlan) -> None:
    for line in _lines(plan):
        typer.echo(line)


def _lines(plan: RepairPlan) -> Iterator[str]:
    yield ", ".join(
        (
            _many(plan.links_to_add, "link to add", "links to add"),
            _many(plan.times_to_fix, "time to fix", "times to fix"),
            _many(plan.meetings_to_delete, "meeting to delete", "meetings to delete"),
            _many(plan.links_to_replace, "link to replace", "links to replace"),
            _many(plan.details_to_fix, "title or setting to fix", "titles or settings to fix"),
        )
    )
    yield f"{_people(plan.people_to_mail)} would be mailed"
    if plan.earlier_links:
        links = _many(plan.earlier_links, "link", "links")
        people = _people(plan.people_to_mail_about_earlier)
        yield f"from before Zoom was connected: {links} to add with --include-earlier; {people} would be mailed"
    if plan.meetings_left_behind:
        left = _many(plan.meetings_left_behind, "meeting is left", "meetings are left")
        yield f"{left} at a Zoom user who is no longer connected"
    if plan.creates_in_doubt:
        yield f"{_many(plan.creates_in_doubt, 'meeting', 'meetings')} may have been made: Zoom is asked first"
    for code, sessions in sorted(plan.lacking.items()):
        yield f"waiting until it is mended: {_sessions(sessions)}: {code}"
    for code, sessions in sorted(plan.parked.items()):
        yield f"parked for another reason and left alone: {_sessions(sessions)}: {code}"


def _many(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _people(number: int) -> str:
    return _many(number, "person", "people")


def _sessions(number: int) -> str:
    return _many(number, "session", "sessions")
