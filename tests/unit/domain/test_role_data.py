"""Names and checks between a role's declaration and its work."""

from typing import Any

import pytest

from readystate.domain.errors import Invalid
from readystate.domain.ids import RoleName
from readystate.domain.role import Declared, Role, Want
from readystate.domain.role_data import declared_outputs, script_input

ROLE = Role(
    RoleName("dns-client"),
    "-",
    wants=(
        Want("dns/servers"),
        Want("proxy/no-proxy"),
        Want("proxy/url", given_name="proxy_url"),
    ),
    outputs=(
        Declared("dns/applied-servers", {"type": "array"}),
        Declared("dns/count", {"type": "integer"}, given_name="how_many"),
    ),
)


def test_a_script_gets_its_inputs_by_short_name() -> None:
    values = {"dns/servers": ["192.0.2.53"], "proxy/no-proxy": [], "proxy/url": "http://p"}

    assert script_input(ROLE, values) == {
        "servers": ["192.0.2.53"],
        "no_proxy": [],
        "proxy_url": "http://p",
    }


@pytest.mark.parametrize(
    "outputs",
    [{"applied_servers": [], "how_many": 1}, {"dns/applied-servers": [], "dns/count": 1}],
)
def test_outputs_are_kept_under_their_declared_names(outputs: dict[str, Any]) -> None:
    assert declared_outputs(ROLE, outputs) == {"dns/applied-servers": [], "dns/count": 1}


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"applied_server": []}, "put out 'applied_server': its annotation does not declare it"),
        ({"how_many": "1"}, "dns/count does not match its schema: '1' is not of type 'integer'"),
        ({"how_many": 1, "dns/count": 1}, "put out 'dns/count' twice"),
    ],
)
def test_other_outputs_are_refused(outputs: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        declared_outputs(ROLE, outputs)
