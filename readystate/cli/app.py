"""The command `readystate`: every command in the order in which `--help` tells them.

Modules import what they need when a command runs, so that help and completion come at once."""

from pathlib import Path
from typing import Annotated

import typer

from readystate.cli import (
    anneal,
    check,
    credential,
    deployment,
    event,
    explain,
    graph,
    intervention,
    lab,
    node,
    proposal,
    rack,
    server,
    sighting,
    why,
)
from readystate.cli import (
    run as runs,
)
from readystate.cli.errors import EXIT_CODES_TEXT, leave
from readystate.cli.target import wishes
from readystate.domain.errors import ReadystateError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=EXIT_CODES_TEXT,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    url: Annotated[
        str | None, typer.Option(help="The server; READYSTATE_API_URL, else this machine's.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the API token; READYSTATE_API_TOKEN, else a known place."),
    ] = None,
) -> None:
    """Take racked machines to the ready state."""
    wishes.url = url
    wishes.token_file = token_file


app.command("scan")(sighting.scan)
app.add_typer(sighting.app, name="sightings")
app.add_typer(credential.app, name="credentials")
app.add_typer(node.app, name="nodes")
app.add_typer(deployment.app, name="deployments")
app.command("plan")(proposal.plan)
app.command("commit")(proposal.commit)
app.add_typer(proposal.app, name="proposals")
app.command("anneal")(anneal.anneal)
app.command("why")(why.why)
app.add_typer(explain.app, name="explain")
app.command("retry")(intervention.retry)
app.command("confirm")(intervention.confirm)
app.command("accept")(intervention.accept)
app.command("cancel")(intervention.cancel)
app.command("hold")(intervention.hold)
app.command("resume")(intervention.resume)
app.command("holds")(intervention.holds)
app.add_typer(runs.app, name="runs")
app.command("events")(event.events)
app.command("graph")(graph.graph)
app.command("check")(check.check)
app.command("rack")(rack.rack)
app.add_typer(lab.app, name="lab")
app.command("serve")(server.serve)
app.add_typer(server.db, name="db")
app.command("version")(server.show_version)


def run() -> None:
    """The process's whole life; exits by the table in cli/errors.py."""
    try:
        app(prog_name="readystate")
    except ReadystateError as error:
        leave(error)
