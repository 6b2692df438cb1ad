"""The identify light over Redfish: two properties, one old and one new, for the same lamp."""

import asyncio
import math

from readystate.lab.bmc.redfish_messages import Body, Refusal
from readystate.lab.bmc.virtual_bmc import VirtualBmc

LIGHTS = ("Lit", "Blinking", "Off")


def is_lit(bmc: VirtualBmc) -> bool:
    return bmc.identify_until > asyncio.get_running_loop().time()


def set_light(bmc: VirtualBmc, body: Body) -> None:
    """Obey IndicatorLED or LocationIndicatorActive, if either is in the body of a PATCH."""
    wanted = body.get("LocationIndicatorActive")
    if "IndicatorLED" in body:
        value = body["IndicatorLED"]
        if value not in LIGHTS:
            raise Refusal(400, "PropertyValueNotInList", (str(value), "IndicatorLED"))
        wanted = value != "Off"
    if wanted is not None:
        bmc.identify_until = math.inf if wanted else 0.0
