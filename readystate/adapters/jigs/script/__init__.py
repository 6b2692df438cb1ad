"""The jig that runs a Python script on the node, over ssh: JSON in, JSON out, stderr is the log.

Nothing has to be installed on the node but Python 3 and an ssh server that lets our key in."""

from readystate.adapters.jigs.script.identity import load_identity, public_key_line
from readystate.adapters.jigs.script.jig import ScriptJig

__all__ = ["ScriptJig", "load_identity", "public_key_line"]
