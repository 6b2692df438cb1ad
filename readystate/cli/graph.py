"""`readystate graph`."""

import sys
from typing import Annotated

import typer

from readystate.domain.errors import BadRequest


def graph(
    node: Annotated[str, typer.Option(help="The graph of this node.")] = "",
    deployment: Annotated[str, typer.Option(help="Of this deployment, by role.")] = "",
    dot: Annotated[bool, typer.Option("--dot", help="Graphviz text; the only format yet.")] = True,
) -> None:
    """Print the graph of roles, of a node or of a deployment: `readystate graph | dot -Tsvg`."""
    from readystate.cli.client import connect

    if node and deployment:
        raise BadRequest("either --node or --deployment")
    if not dot:
        raise BadRequest("no other format yet", hint="--dot")
    path = "/graph/roles"
    if node:
        path = f"/graph/nodes/{node}"
    elif deployment:
        path = f"/graph/deployments/{deployment}"
    with connect() as api:
        text, _ = api.text(path)
    sys.stdout.write(text)
