"""The chassis over Redfish: what its sensors say, in the old shape and in the new one."""

from dataclasses import dataclass

from readystate.lab.bmc.personalities.personality import ROOT
from readystate.lab.bmc.redfish_identify import is_lit, set_light
from readystate.lab.bmc.redfish_messages import Body, not_found
from readystate.lab.bmc.redfish_service import (
    OK,
    Answer,
    Ask,
    RedfishService,
    check_writable,
    collection,
    done,
    link,
    resource,
)
from readystate.lab.bmc.redfish_storage import controllers

WRITABLE = frozenset({"AssetTag", "IndicatorLED", "LocationIndicatorActive"})


@dataclass(frozen=True)
class Kind:
    """What the last word of a sensor's name says about its reading."""

    type: str
    units: str


TEMPERATURE, FAN, POWER = Kind("Temperature", "Cel"), Kind("Rotational", "RPM"), Kind("Power", "W")


def kind_of(name: str) -> Kind:
    if name.startswith("Fan"):
        return FAN
    return POWER if name.endswith("Power") else TEMPERATURE


def _readings(service: RedfishService, kind: Kind) -> list[tuple[str, float]]:
    readings = service.bmc.machine.sensors()
    return [(name, value) for name, value in readings.items() if kind_of(name) is kind]


def read_chassis_list(service: RedfishService) -> Body:
    members = [service.personality.chassis_path]
    if service.personality.has_enclosures:
        members += [f"{ROOT}/Chassis/{controller.id}" for controller in controllers(service)]
    return collection(f"{ROOT}/Chassis", "ChassisCollection", members)


def read_chassis(service: RedfishService) -> Body:
    personality, hardware, bmc = service.personality, service.hardware, service.bmc
    path = personality.chassis_path
    body = resource(
        path,
        "Chassis.v1_18_0.Chassis",
        "Computer System Chassis",
        ChassisType="RackMount",
        Manufacturer=hardware.manufacturer,
        Model=hardware.model,
        SerialNumber=hardware.serial,
        AssetTag=bmc.asset_tag or hardware.asset_tag,
        PowerState="On" if bmc.reported_power_on else "Off",
        IndicatorLED="Blinking" if is_lit(bmc) else "Off",
        LocationIndicatorActive=is_lit(bmc),
        Status=OK,
        Thermal=link(f"{path}/Thermal"),
        Power=link(f"{path}/Power"),
        Links={
            "ComputerSystems": [link(personality.system_path)],
            "ManagedBy": [link(personality.manager_path)],
        },
    )
    if personality.has_service_tag:
        body["SKU"] = hardware.serial
    if personality.has_sensors:
        body["Sensors"] = link(f"{path}/Sensors")
    return body


async def patch_chassis(service: RedfishService, ask: Ask) -> Answer:
    check_writable(ask.body, WRITABLE, read_chassis(service))
    set_light(service.bmc, ask.body)
    if "AssetTag" in ask.body:
        service.bmc.asset_tag = str(ask.body["AssetTag"])
    return done(service)


def read_thermal(service: RedfishService) -> Body:
    path = f"{service.personality.chassis_path}/Thermal"
    temperatures = [
        {
            "@odata.id": f"{path}#/Temperatures/{index}",
            "MemberId": str(index),
            "Name": name,
            "ReadingCelsius": value,
            "UpperThresholdCritical": 95,
            "PhysicalContext": "CPU" if name.startswith("CPU") else "Intake",
            "Status": OK,
        }
        for index, (name, value) in enumerate(_readings(service, TEMPERATURE))
    ]
    fans = [
        {
            "@odata.id": f"{path}#/Fans/{index}",
            "MemberId": str(index),
            "Name": name,
            "Reading": int(value),
            "ReadingUnits": "RPM",
            "Status": OK,
        }
        for index, (name, value) in enumerate(_readings(service, FAN))
    ]
    return resource(path, "Thermal.v1_7_1.Thermal", "Thermal", Temperatures=temperatures, Fans=fans)


def read_power(service: RedfishService) -> Body:
    path = f"{service.personality.chassis_path}/Power"
    readings = _readings(service, POWER)
    supplies = [
        {
            "@odata.id": f"{path}#/PowerSupplies/{index}",
            "MemberId": str(index),
            "Name": name.removesuffix(" Power"),
            "LastPowerOutputWatts": value,
            "PowerCapacityWatts": 800,
            "LineInputVoltage": 230,
            "Status": OK,
        }
        for index, (name, value) in enumerate(readings)
    ]
    control = {
        "@odata.id": f"{path}#/PowerControl/0",
        "MemberId": "0",
        "Name": "System Power Control",
        "PowerConsumedWatts": sum(value for _, value in readings),
    }
    return resource(
        path, "Power.v1_7_1.Power", "Power", PowerControl=[control], PowerSupplies=supplies
    )


def read_sensors(service: RedfishService) -> Body:
    path = f"{service.personality.chassis_path}/Sensors"
    names = service.bmc.machine.sensors()
    return collection(path, "SensorCollection", [f"{path}/{sensor_id(name)}" for name in names])


def read_sensor(service: RedfishService, wanted: str) -> Body:
    for name, value in service.bmc.machine.sensors().items():
        if sensor_id(name) == wanted:
            kind = kind_of(name)
            return resource(
                f"{service.personality.chassis_path}/Sensors/{wanted}",
                "Sensor.v1_5_0.Sensor",
                name,
                Reading=value,
                ReadingType=kind.type,
                ReadingUnits=kind.units,
                Status=OK,
            )
    raise not_found()


def sensor_id(name: str) -> str:
    return name.replace(" ", "")
