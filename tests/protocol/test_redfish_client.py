"""Sessions, ETags, connections and odd services: what the Redfish client does on the wire."""

import select
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from readystate.adapters.hammers.redfish.client import RedfishClient, bmc_tls_context
from readystate.adapters.hammers.redfish.tree import RedfishTree
from readystate.domain.errors import Busy, Failed, Invalid, Refused, Unreachable, Unsupported
from readystate.domain.secret import Secret
from readystate.ports.hammer import BmcEndpoint
from tests.protocol.hammer_rigs import network
from tests.protocol.scripted_https import Asked, Said, Script, ScriptedServer, scripted_https

ROOT = {
    "@odata.type": "#ServiceRoot.v1_10_0.ServiceRoot",
    "Systems": {"@odata.id": "/redfish/v1/Systems"},
    "Links": {"Sessions": {"@odata.id": "/redfish/v1/Own/Sessions"}},
}


class Bench:
    """Starts scripted services and clients for them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._address = f"{network()}.9.3"

    def __call__(
        self, script: Script, *, verify: bool = False, timeout_s: float = 5.0
    ) -> tuple[RedfishClient, ScriptedServer]:
        server = self._stack.enter_context(
            scripted_https(self._folder, self._address, _with_sessions(script))
        )
        endpoint = BmcEndpoint(
            self._address, "redfish", "admin", Secret("secret-1"), port=server.port
        )
        client = RedfishClient(
            endpoint, tls=bmc_tls_context(verify_certificates=verify), timeout_s=timeout_s
        )
        self._stack.callback(client.disconnect)
        return client, server


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(tmp_path, stack)


def _with_sessions(script: Script) -> Script:
    """Root and sessions of a good service, unless the script has an answer of its own."""
    tokens = 0

    def answer(asked: Asked) -> Said:
        nonlocal tokens
        said = script(asked)
        if said.status != 599:
            return said
        if asked.path == "/redfish/v1/":
            return Said(body=ROOT)
        if asked.path == "/redfish/v1/Own/Sessions":
            tokens += 1
            location = f"https://bmc.example/redfish/v1/Own/Sessions/{tokens}"
            return Said(201, {}, {"X-Auth-Token": f"t{tokens}", "Location": location})
        return Said(404, {})

    return answer


NOT_MINE = Said(599)


def things(answer: Said) -> Script:
    return lambda asked: answer if asked.path == "/things" else NOT_MINE


def test_one_login_serves_many_requests_over_one_connection(bench: Bench) -> None:
    client, server = bench(things(Said(body={"Name": "x"})))
    for _ in range(3):
        client.get("/things")

    assert [
        "GET /redfish/v1/",
        "POST /redfish/v1/Own/Sessions",
        *["GET /things"] * 3,
    ] == server.paths()
    assert ["t1"] * 3 == [item.headers["x-auth-token"] for item in server.asked[2:]]
    assert 1 == len(server.connections)


def test_closing_gives_the_session_back(bench: Bench) -> None:
    client, server = bench(things(Said(body={})))
    client.get("/things")
    client.close()

    assert "DELETE /redfish/v1/Own/Sessions/1" == server.paths()[-1]


def test_a_lapsed_token_is_renewed_once(bench: Bench) -> None:
    good = ["t1", "t2"]

    def script(asked: Asked) -> Said:
        if asked.path != "/things":
            return NOT_MINE
        return Said(body={}) if asked.headers["x-auth-token"] == good[0] else Said(401, {})

    client, server = bench(script)
    client.get("/things")
    good.pop(0)
    client.get("/things")

    assert 2 == server.paths().count("POST /redfish/v1/Own/Sessions")


def test_a_new_token_that_is_refused_too_ends_in_refused(bench: Bench) -> None:
    client, server = bench(things(Said(401, {})))
    with pytest.raises(Refused):
        client.get("/things")
    with pytest.raises(Refused):
        client.get("/things")

    assert 2 <= server.paths().count("POST /redfish/v1/Own/Sessions") <= 3


def test_a_service_without_sessions_is_used_with_basic_auth(bench: Bench) -> None:
    def script(asked: Asked) -> Said:
        if asked.path == "/redfish/v1/Own/Sessions":
            return Said(405, {})
        return Said(body={}) if asked.path == "/things" else NOT_MINE

    client, server = bench(script)
    client.get("/things")

    assert server.asked[-1].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "message", "family"),
    [
        (401, "NoValidSession", Refused),
        (400, "Unauthorized", Refused),
        (503, "ServiceTemporarilyUnavailable", Busy),
        (400, "SessionLimitExceeded", Busy),
        (500, "InternalError", Failed),
    ],
)
def test_a_login_that_fails_says_why(
    bench: Bench, status: int, message: str, family: type[Exception]
) -> None:
    body = {"error": {"@Message.ExtendedInfo": [{"MessageId": f"Base.1.8.{message}"}]}}
    client, _ = bench(lambda asked: Said(status, body) if "Sessions" in asked.path else NOT_MINE)

    with pytest.raises(family) as caught:
        client.get("/things")
    assert "secret-1" not in f"{caught.value!r} {caught.value}"


def etags(accepted: str, current: list[str]) -> Script:
    """A resource that takes a PATCH only with the ETag `accepted`, and shows `current` in turn."""

    def script(asked: Asked) -> Said:
        if asked.path != "/things":
            return NOT_MINE
        if asked.method == "PATCH" and asked.headers.get("if-match") != accepted:
            return Said(412, {})
        return Said(body={}, headers={"ETag": current.pop(0) if len(current) > 1 else current[0]})

    return script


def test_a_change_carries_its_etag(bench: Bench) -> None:
    client, server = bench(etags('"1"', ['"1"']))
    client.patch("/things", {"Name": "x"}, etag='"1"')

    assert '"1"' == server.asked[-1].headers["if-match"]


def test_a_resource_that_moved_is_read_again(bench: Bench) -> None:
    client, server = bench(etags('"2"', ['"2"']))
    client.patch("/things", {"Name": "x"}, etag='"1"')

    assert ["PATCH /things", "GET /things", "PATCH /things"] == server.paths()[-3:]


def test_a_weak_etag_is_retried_as_a_strong_one(bench: Bench) -> None:
    client, _ = bench(etags('"7"', ['W/"7"']))

    assert 200 == client.patch("/things", {}, etag='W/"7"').status


def test_a_resource_that_keeps_moving_is_busy(bench: Bench) -> None:
    client, _ = bench(etags("never", ['"1"']))

    with pytest.raises(Busy, match="412"):
        client.patch("/things", {}, etag='"0"')


def test_a_connection_that_the_bmc_closed_is_opened_again(bench: Bench) -> None:
    client, server = bench(things(Said(body={}, hang_up=True)))
    client.get("/things")
    assert client._connection
    select.select([client._connection.sock], [], [], 5)  # until its end has arrived
    client.post("/things", {"Go": True})

    assert 1 == server.paths().count("POST /things")


def test_a_command_whose_answer_was_cut_off_is_not_repeated(bench: Bench) -> None:
    def script(asked: Asked) -> Said:
        if asked.path != "/things":
            return NOT_MINE
        return Said(0, hang_up=True) if asked.method == "POST" else Said(body={})

    client, server = bench(script)
    client.get("/things")
    with pytest.raises(Unreachable):
        client.post("/things", {"Go": True})

    assert 1 == server.paths().count("POST /things")


def test_silence_is_unreachable_in_time(bench: Bench) -> None:
    release = threading.Event()

    def script(asked: Asked) -> Said:
        if asked.path == "/things":
            release.wait(3)
        return NOT_MINE

    client, _ = bench(script, timeout_s=0.3)
    try:
        with pytest.raises(Unreachable, match="no answer over Redfish"):
            client.get("/things")
    finally:
        release.set()


def test_nobody_there_is_unreachable() -> None:
    endpoint = BmcEndpoint(f"{network()}.9.4", "redfish", "admin", Secret("x"), port=9)
    client = RedfishClient(endpoint, tls=bmc_tls_context(verify_certificates=False))

    with pytest.raises(Unreachable):
        client.get("/things")


def test_an_unknown_certificate_is_refused_when_certificates_count(bench: Bench) -> None:
    client, _ = bench(things(Said(body={})), verify=True)

    with pytest.raises(Refused, match="certificate is not trusted"):
        client.get("/things")


def test_a_body_cut_short_is_no_empty_resource(bench: Bench) -> None:
    client, _ = bench(things(Said(body=b'{"Name": ')))

    with pytest.raises(Unreachable, match="not JSON"):
        client.get("/things")


def test_a_web_page_in_place_of_an_error_is_survived(bench: Bench) -> None:
    client, _ = bench(things(Said(400, b"<html>no</html>")))

    with pytest.raises(Invalid, match="HTTP 400"):
        client.get("/things")


def test_a_redirect_is_followed(bench: Bench) -> None:
    def script(asked: Asked) -> Said:
        if asked.path == "/things":
            return Said(308, {}, {"Location": "/things/"})
        return Said(body={"Name": "here"}) if asked.path == "/things/" else NOT_MINE

    client, _ = bench(script)

    assert "here" == client.get("/things").body["Name"]


def test_a_circle_of_redirects_ends(bench: Bench) -> None:
    client, _ = bench(things(Said(308, {}, {"Location": "/things"})))

    with pytest.raises(Unsupported, match="circle"):
        client.get("/things")


def collection(pages: dict[str, Any], root: dict[str, Any]) -> Script:
    def script(asked: Asked) -> Said:
        if asked.path == "/redfish/v1/":
            return Said(body={**ROOT, **root})
        return Said(body=pages[asked.path]) if asked.path in pages else NOT_MINE

    return script


def expand(**query: Any) -> dict[str, Any]:
    return {"ProtocolFeaturesSupported": {"ExpandQuery": query}}


MEMBERS = {"Members": [{"@odata.id": "/a"}, {"@odata.id": "/nowhere"}, {"@odata.id": "/b"}]}
HOLDER = {"Things": {"@odata.id": "/things"}}


def names(client: RedfishClient) -> list[str]:
    return [item["Name"] for item in RedfishTree(client).members(HOLDER, "Things")]


def test_members_are_followed_and_dead_links_survived(bench: Bench) -> None:
    pages = {"/things": MEMBERS, "/a": {"Name": "a"}, "/b": {"Name": "b"}}
    client, _ = bench(collection(pages, {}))

    assert ["a", "b"] == names(client)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"NoLinks": True, "Levels": True, "MaxLevels": 1}, "/things?$expand=.($levels=1)"),
        ({"NoLinks": True}, "/things?$expand=."),
        ({"ExpandAll": True, "Levels": True}, "/things?$expand=*($levels=1)"),
    ],
)
def test_expand_is_asked_for_as_advertised(bench: Bench, query: dict[str, Any], path: str) -> None:
    pages = {path: {"Members": [{"@odata.id": "/a", "Name": "a"}]}}
    client, server = bench(collection(pages, expand(**query)))

    assert ["a"] == names(client)
    assert 1 == sum("/a" in item or "things" in item for item in server.paths())


@pytest.mark.parametrize("status", [400, 404, 500, 501])
def test_a_service_that_advertises_expand_and_lacks_it_is_asked_once(
    bench: Bench, status: int
) -> None:
    plain = collection(
        {"/things": MEMBERS, "/a": {"Name": "a"}, "/b": {"Name": "b"}}, expand(NoLinks=True)
    )
    client, server = bench(
        lambda asked: Said(status, {}) if "$expand" in asked.path else plain(asked)
    )
    tree = RedfishTree(client)
    for _ in range(2):
        assert ["a", "b"] == [item["Name"] for item in tree.members(HOLDER, "Things")]

    assert 1 == sum("$expand" in path for path in server.paths())


def test_a_collection_in_pages_is_read_to_its_end(bench: Bench) -> None:
    pages = {
        "/things": {"Members": [{"@odata.id": "/a"}], "Members@odata.nextLink": "/things?$skip=1"},
        "/things?$skip=1": {"Members": [{"@odata.id": "/b"}]},
        "/a": {"Name": "a"},
        "/b": {"Name": "b"},
    }
    client, _ = bench(collection(pages, {}))

    assert ["a", "b"] == names(client)


def test_pages_in_a_circle_end(bench: Bench) -> None:
    pages = {
        "/things": {"Members": [{"@odata.id": "/a"}], "Members@odata.nextLink": "/things"},
        "/a": {"Name": "a"},
    }
    client, _ = bench(collection(pages, {}))

    assert ["a"] == names(client)
