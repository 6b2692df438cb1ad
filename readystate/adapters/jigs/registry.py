"""All jigs by the name that annotations use: the one place that knows them together."""

from collections.abc import Mapping

from readystate.adapters.jigs.call import CallJig
from readystate.adapters.jigs.noop import NoopJig
from readystate.adapters.jigs.script import ScriptJig
from readystate.ports.jig import Jig


def make_jigs(*, call: CallJig, script: ScriptJig) -> Mapping[str, Jig]:
    """The script jig keeps connections open: whoever made it closes it."""
    return {"noop": NoopJig(), "call": call, "script": script}
