"""The wire between simulated machines and the readystate API: one HTTP client for the whole lab."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from readystate.lab.machines.boot_wire import authorization
from readystate.lab.machines.ipxe import FetchFailed

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60)
MAX_FILE_BYTES = 64 * 1024 * 1024
CALLBACK_ATTEMPTS = 30
CALLBACK_WAIT_S = (0.5, 1.0, 2.0, 5.0)  #: before the next attempt; the last one repeats


class ApiRefused(Exception):
    """The API understood a callback and said no: asking again would not help."""


class ApiSilent(Exception):
    """No usable answer, however often asked."""


@dataclass
class BootNetwork:
    http: aiohttp.ClientSession
    boot_url: str  #: of the API, without a slash at the end: what DHCP would hand out
    pace: float = 1.0  #: multiplies every delay of the machines; 0 is as fast as can be

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)

    async def fetch(self, url: str, token: str = "") -> bytes:
        """GET a file, as firmware does: once. Raises FetchFailed."""
        headers = authorization(token) if token else {}
        try:
            async with self.http.get(url, headers=headers, timeout=REQUEST_TIMEOUT) as answer:
                if answer.status != HTTPStatus.OK:
                    raise FetchFailed(f"{url}: HTTP {answer.status}")
                return await answer.content.read(MAX_FILE_BYTES)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise FetchFailed(f"{url}: {type(error).__name__}") from error

    async def call(
        self, method: str, url: str, token: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """An exchange of the live image or the installed system, tried until it is answered.

        Returns the JSON answer, None if there is no body. Raises ApiRefused, ApiSilent."""
        why = ""
        for attempt in range(CALLBACK_ATTEMPTS):
            if attempt:
                await self.pause(CALLBACK_WAIT_S[min(attempt, len(CALLBACK_WAIT_S)) - 1])
            try:
                async with self.http.request(
                    method, url, json=body, headers=authorization(token), timeout=REQUEST_TIMEOUT
                ) as answer:
                    if answer.status < HTTPStatus.BAD_REQUEST:
                        return await answer.json(content_type=None) if await answer.read() else None
                    why = f"{method} {url}: HTTP {answer.status}"
                    if not _is_worth_another_try(answer.status):
                        raise ApiRefused(why)
            except (aiohttp.ClientError, TimeoutError) as error:
                why = f"{method} {url}: {type(error).__name__}"
        raise ApiSilent(why)


def _is_worth_another_try(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
