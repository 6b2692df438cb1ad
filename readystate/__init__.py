"""readystate takes racked machines with a reachable BMC to the ready state."""
