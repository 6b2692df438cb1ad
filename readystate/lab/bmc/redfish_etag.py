"""ETags: a checksum of a resource's body, so that nothing has to be remembered to make one."""

import json
import zlib

from readystate.lab.bmc.redfish_messages import Body


def encode(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def etag_of(encoded: bytes) -> str:
    return f'W/"{zlib.crc32(encoded):08X}"'


def with_etag(encoded: bytes, etag: str) -> bytes:
    """Put `@odata.etag` first into an encoded object."""
    return b'{"@odata.etag":' + json.dumps(etag).encode() + b"," + encoded[1:]


def is_match(if_match: str, etag: str) -> bool:
    """Compare weakly, as BMCs do: clients send the tag with or without `W/` and quotes."""
    wanted = [item.strip() for item in if_match.split(",")]
    return "*" in wanted or _opaque(etag) in map(_opaque, wanted)


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')
