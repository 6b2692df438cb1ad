"""The IPMI hammer: pyghmi decodes, our own RMCP+ session talks."""

from readystate.adapters.hammers.ipmi.hammer import IpmiHammer

__all__ = ["IpmiHammer"]
