"""`flask demo` and `flask clock`: the demonstration province, its story, and its clock that can be moved."""

import re
from datetime import timedelta

import click
from flask.cli import AppGroup
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.cli import owner_session, settings

_DURATION = re.compile(r"(\d{1,4})([dhm])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}

clock_group = AppGroup("clock", help="The product's clock, in a demonstration.")


@clock_group.command("forward")
@click.argument("duration")
def clock_forward_command(duration: str) -> None:
    """Move the clock of a demonstration forward by DURATION: 3d, 12h or 90m. It never goes back."""
    if settings().mode != "demo":
        raise click.ClickException("only a demonstration (MINGJIAN_MODE=demo) has a clock that can be moved")
    match = _DURATION.fullmatch(duration)
    if match is None or int(match[1]) == 0:
        raise click.ClickException("a duration is a whole number followed by d, h or m, as in 3d")
    seconds = _move_clock(int(match[1]) * _SECONDS[match[2]])
    now = clock.now().astimezone(clock.SHANGHAI)
    click.echo(f"The clock is {seconds / 86_400:.2f} days ahead and shows {now:%Y-%m-%d %H:%M} in Shanghai.")
    click.echo("Next: the worker acts on what is due now with its next sweep; /readyz shows the offset.")


def _move_clock(seconds: int) -> int:
    """Move the clock forward and return how many seconds it is ahead now."""
    from app.supervision.models import ClockOffset

    with owner_session() as session:
        statement = insert(ClockOffset).values(singleton=1, seconds=seconds)
        statement = statement.on_conflict_do_update(
            index_elements=[ClockOffset.singleton], set_={"seconds": ClockOffset.seconds + statement.excluded.seconds}
        )
        ahead = session.scalar(statement.returning(ClockOffset.seconds)) or 0
    clock.offset_seconds.set(ahead)
    return ahead


demo = AppGroup("demo", help="The demonstration province.")


@demo.command("load")
@click.option("--some", is_flag=True, help="Only the two counties in which the scenes play.")
def demo_load_command(some: bool) -> None:
    """Load what is missing of the demonstration province; refused in production."""
    from app.directory.demonstration import NotADemonstration, load
    from app.records.commands import load_as_owner

    try:
        with owner_session() as session:
            loaded = load(session, divisions="some" if some else "all")
    except NotADemonstration as error:
        raise click.ClickException(str(error)) from error
    datasets = load_as_owner()
    click.echo(
        f"Demonstration province: {loaded.divisions} divisions, {loaded.holiday_years} holiday years, "
        f"{loaded.organisations} bodies, {loaded.persons} persons, {loaded.accounts} accounts added; {len(datasets)} datasets in force."
    )
    click.echo("Next: `flask demo accounts` lists the accounts.")


@demo.command("accounts")
def demo_accounts_command() -> None:
    """List the demonstration accounts."""
    from app.directory.demonstration import PASSWORD, accounts

    if settings().mode == "production":
        raise click.ClickException("there are no demonstration accounts in production")
    click.echo(f"Demonstration accounts; all have the password: {PASSWORD}")
    for account in accounts():
        click.echo(f"  {account.username:<27} {account.role.zh} {account.role.en} · {account.organisation}")


@demo.command("play")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Address of the running server.")
@click.option("--fill", "count", default=0, show_default=True, help="File so many further petitions, in every state.")
def demo_play_command(url: str, count: int) -> None:
    """Play the story against a running server and its worker, moving the clock of the demonstration."""
    from app.filling import fill, fill_unrated
    from app.story import StoryFailed, play

    if settings().mode != "demo":
        raise click.ClickException("the story is played in a demonstration only (MINGJIAN_MODE=demo)")

    def forward(span: timedelta) -> None:
        _move_clock(int(span.total_seconds()))

    try:
        if count:
            fill_unrated(url, forward, click.echo, count)
        play(url, forward, click.echo)
        if count:
            fill(url, forward, click.echo, count)
    except StoryFailed as error:
        raise click.ClickException(str(error)) from error
    click.echo("Next: sign in with an account of `flask demo accounts` and look at the lists and the desk.")
    click.echo("Published figures are at /p/figures; the running month comes when it has closed: `flask clock forward 60d`.")
