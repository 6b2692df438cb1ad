"""One kept HTTPS connection to one Redfish service: sessions, errors, ETags; no knowledge of
resources.

The standard library's client does it: 0.16 ms CPU a request over a kept TLS connection, the same as
aiohttp when called from threads, and without a loop thread between. Connections are one to a BMC
because BMCs serve a handful of clients at most. Source: DSP0266 (Redfish specification) 1.20,
sections 6-8 (protocol), 13.3 (sessions)."""

import base64
import contextlib
import http.client
import json
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from readystate.adapters.hammers.redfish.answers import http_error, transport_error
from readystate.domain.errors import Invalid, Refused, Unreachable, Unsupported, WorkError
from readystate.ports.hammer import BmcEndpoint

HTTPS_PORT = 443
SERVICE_ROOT = "/redfish/v1/"
#: Slow BMCs (first inventory after their start) answer within 20 s; beyond that they hang.
REQUEST_TIMEOUT_S = 30.0
#: A body larger than this is no Redfish resource; the largest known registry is 4 MB.
_BODY_LIMIT_BYTES = 16 * 1024 * 1024
_HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  #: lower-case names
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return str(self.headers.get("etag") or self.body.get("@odata.etag") or "")


def bmc_tls_context(*, verify_certificates: bool) -> ssl.SSLContext:
    """BMCs ship self-signed certificates, and some speak nothing newer than TLS 1.2."""
    context = ssl.create_default_context()
    if not verify_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class RedfishClient:
    """Safe to share between threads; requests to one BMC wait for one another."""

    def __init__(
        self,
        endpoint: BmcEndpoint,
        *,
        tls: ssl.SSLContext,
        use_sessions: bool = True,
        busy_messages: tuple[str, ...] = (),
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self.address = endpoint.address
        self._port = endpoint.port or HTTPS_PORT
        self._username = endpoint.username
        self._password = endpoint.password
        self._tls = tls
        self._use_sessions = use_sessions
        self.busy_messages = busy_messages  #: the hammer replaces it once it knows the machine
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._connection: http.client.HTTPSConnection | None = None
        self._has_answered = False  # the connection has carried an answer, so it may be stale now
        self._token = ""
        self._session_path = ""
        self._root: dict[str, Any] = {}

    def get(self, path: str) -> Answer:
        return self._authorised("GET", path, None, {})

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        return self._authorised("POST", path, body, {})

    def delete(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        return self._authorised("DELETE", path, body or None, {})

    def patch(self, path: str, body: Mapping[str, Any], *, etag: str = "") -> Answer:
        """Send the change with If-Match when there is an ETag. On 412 the resource has moved, or
        the BMC cannot compare weak ETags: a fresh one is tried, then its strong spelling."""
        answer = self._ask("PATCH", path, body, _if_match(etag))
        if answer.status == 412:
            fresh = self.get(path).etag
            for candidate in dict.fromkeys((fresh, fresh.removeprefix("W/"))):
                answer = self._ask("PATCH", path, body, _if_match(candidate))
                if answer.status != 412:
                    break
        return self._checked("PATCH", path, answer)

    def get_unauthorised(self, path: str = SERVICE_ROOT) -> Answer:
        """The service root needs no login (DSP0266 section 13.2)."""
        with self._lock:
            return self._checked("GET", path, self._send("GET", path, None, {}))

    def root(self) -> dict[str, Any]:
        """The service root, read once."""
        with self._lock:
            if not self._root:
                self._root = self.get_unauthorised().body
            return self._root

    def close(self) -> None:
        """Give the session back, of which BMCs have few; never raises."""
        with self._lock:
            if self._session_path and self._connection is not None:
                with contextlib.suppress(WorkError):
                    self._send("DELETE", self._session_path, None, {"X-Auth-Token": self._token})
            self._token = self._session_path = ""
            self._disconnect()

    def disconnect(self) -> None:
        """Close the connection and keep the login."""
        with self._lock:
            self._disconnect()

    # -- logging in ----------------------------------------------------------------------------

    def _authorised(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Answer:
        return self._checked(method, path, self._ask(method, path, body, headers))

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Answer:
        with self._lock:
            had_token = bool(self._token)
            answer = self._send(method, path, body, {**headers, **self._login()})
            if answer.status == 401 and had_token:
                # The BMC has restarted or dropped the session: log in anew, once.
                self._token = self._session_path = ""
                answer = self._send(method, path, body, {**headers, **self._login()})
            return answer

    def _login(self) -> dict[str, str]:
        if not self._token and self._use_sessions:
            self._open_session()
        if self._token:
            return {"X-Auth-Token": self._token}
        pair = f"{self._username}:{self._password.reveal()}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    def _open_session(self) -> None:
        """Raises Refused for wrong credentials, Busy when no session is free; a service without
        sessions is used with basic auth."""
        credentials = {"UserName": self._username, "Password": self._password.reveal()}
        path = self._sessions_path()
        answer = self._send("POST", path, credentials, {})
        token = answer.headers.get("x-auth-token", "")
        if answer.status in (200, 201) and token:
            self._token = token
            location = answer.headers.get("location") or str(answer.body.get("@odata.id", ""))
            self._session_path = path_of(location)
            return
        if answer.status in (404, 405, 501) or (answer.status < 300 and not token):
            self._use_sessions = False
            return
        error = http_error(
            self.address, "POST", path, answer.status, answer.body, self.busy_messages
        )
        if isinstance(error, Invalid):  # some services call a wrong password a bad request
            error = Refused(
                f"{self.address}: the BMC refused the login",
                why=error.why,
                hint="check the BMC credentials",
            )
        raise error

    def _sessions_path(self) -> str:
        # DSP0266 section 13.3.4.2: this link is in the service root for exactly this purpose.
        links = self.root().get("Links", {}).get("Sessions", {})
        return str(links.get("@odata.id", "/redfish/v1/SessionService/Sessions"))

    # -- the wire ------------------------------------------------------------------------------

    def _checked(self, method: str, path: str, answer: Answer) -> Answer:
        if answer.status >= 400:
            raise http_error(
                self.address, method, path, answer.status, answer.body, self.busy_messages
            )
        return answer

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Answer:
        payload = None if body is None else json.dumps(body).encode()
        all_headers = {**_HEADERS, **headers}
        if payload is not None:
            all_headers["Content-Type"] = "application/json"
        for _redirect in range(3):
            answer = self._send_once(method, path, payload, all_headers)
            if answer.status not in (301, 302, 307, 308):
                return answer
            path = path_of(answer.headers.get("location", ""))  # HPE: /redfish/v1 -> /redfish/v1/
        raise Unsupported(f"{self.address}: {path} redirects in a circle")

    def _send_once(
        self, method: str, path: str, payload: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        connection = self._connect()
        try:
            connection.request(method, path, payload, dict(headers))
            response = connection.getresponse()
            raw = response.read(_BODY_LIMIT_BYTES)
        except (OSError, http.client.HTTPException) as error:
            was_kept = self._has_answered
            self._disconnect()
            if method == "GET" and was_kept:  # the BMC closed the kept connection meanwhile
                return self._send_once(method, path, payload, headers)
            raise transport_error(self.address, error) from error
        self._has_answered = True
        if response.will_close:
            self._disconnect()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, _parse_body(raw))

    def _connect(self) -> http.client.HTTPSConnection:
        if self._connection is not None and self._has_answered:
            # Anything readable before we asked can only be the end of the connection. Looking
            # spares a POST the doubt whether it was carried out.
            link = self._connection.sock
            if link is None or is_readable(link):
                self._disconnect()
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self.address, self._port, timeout=self._timeout_s, context=self._tls
            )
            self._has_answered = False
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._has_answered = False


def _if_match(etag: str) -> dict[str, str]:
    return {"If-Match": etag} if etag else {}


def path_of(location: str) -> str:
    """The path of a Location header, which may be a whole URL."""
    if "://" in location:
        location = "/" + location.split("://", 1)[1].partition("/")[2]
    return location


def _parse_body(raw: bytes) -> dict[str, Any]:
    """An error page of HTML is no body; a truncated resource must not pass for an empty one."""
    text = raw.lstrip()
    if not text.startswith(b"{"):
        return {}
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise Unreachable("the BMC's answer is not JSON", why=str(error)) from error
    return parsed if isinstance(parsed, dict) else {}


def is_readable(link: socket.socket) -> bool:
    """By poll: `select` refuses descriptors from 1024 on, and a thousand BMCs have more."""
    looking = select.poll()
    looking.register(link, select.POLLIN)
    return bool(looking.poll(0))
