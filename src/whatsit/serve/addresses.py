"""How this machine is reached from others: its addresses, and one of them as a QR code."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import socket
from collections.abc import Sequence

_SOMEWHERE = (  # documentation addresses: nothing is sent to them, the system only picks a way
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)


def local_addresses(families: Sequence[int] = (socket.AF_INET, socket.AF_INET6)) -> list[str]:
    """The addresses of this machine in its networks, that of the usual way out first."""
    found: list[str] = []
    for family, target in _SOMEWHERE:
        if family not in families:
            continue
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        for family, _, _, _, address in socket.getaddrinfo(socket.gethostname(), None):
            if family in families:
                found.append(str(address[0]))
    return [address for address in dict.fromkeys(found) if _is_reachable(address)]


def url(scheme: str, host: str, port: int) -> str:
    """The address of a page; IPv6 stands in brackets."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def is_everywhere(host: str) -> bool:
    """Whether a server on `host` listens on all addresses of the machine."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_unspecified
    return host == ""


def families(listener: socket.socket) -> list[int]:
    """Which addresses reach a server on this socket: IPv4's, IPv6's or both."""
    if listener.family != socket.AF_INET6:
        return [listener.family]
    alone = listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return [socket.AF_INET6] if alone else [socket.AF_INET, socket.AF_INET6]


def is_local(host: str) -> bool:
    """Whether a server on `host` can be reached from this machine alone."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def qr_code(text: str) -> str:
    """`text` as a QR code of half-height blocks, which dark and light terminals both show."""
    import segno

    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue()


def _is_reachable(address: str) -> bool:
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(address)
        return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)
    return False
