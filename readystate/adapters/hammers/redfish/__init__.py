"""The Redfish hammer: one kept HTTPS connection to a BMC, found out by following links."""

from readystate.adapters.hammers.redfish.hammer import RedfishHammer

__all__ = ["RedfishHammer"]
