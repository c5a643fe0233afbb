"""A certificate that this machine makes for itself, so that phones in its network get HTTPS.

Browsers give a page the camera over HTTPS alone. Nobody else vouches for this certificate, so each
browser asks once; its fingerprint tells that it is this one.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import storage
from ..errors import WhatsitError

if TYPE_CHECKING:
    from cryptography import x509

_DAYS = 365  # phones refuse those that last for more than 825
_LEFT = datetime.timedelta(days=7)  # what ends sooner is made anew
_NAME = "whatsit"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate and its key: one file, which the owner alone may read."""

    path: Path
    fingerprint: str
    is_new: bool


def fingerprint(path: Path) -> str:
    """The SHA-256 of the first certificate in a PEM file, as browsers show it."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = path.read_text(encoding="ascii", errors="replace")
    inside = text[text.index(begin) + len(begin) : text.index(end)]
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(begin + inside + end)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def own_certificate(addresses: list[str]) -> Certificate:
    """The certificate of this machine for these addresses: the kept one, or a new one.

    Raises WhatsitError where it cannot be kept.
    """
    path = storage.cache_folder("certificate") / "serve.pem"
    names = sorted({"localhost", *_host_names()})
    numbers = sorted({"127.0.0.1", "::1", *addresses})
    is_new = not _fits(path, names, numbers)
    if is_new:
        _write(path, _made(names, numbers))
    return Certificate(path, fingerprint(path), is_new)


def _host_names() -> list[str]:
    name = socket.gethostname().lower().rstrip(".")
    plain = all(letter.isascii() and (letter.isalnum() or letter in "-.") for letter in name)
    if not name or not plain or len(name) > 200:
        return []
    return [name] if "." in name else [name, f"{name}.local"]


def _fits(path: Path, names: list[str], numbers: list[str]) -> bool:
    """Whether the kept one names all of these, can be read with its key, and lasts."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        data = path.read_bytes()
        kept = x509.load_pem_x509_certificate(data)
        key = load_pem_private_key(data, None)
        subject = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ends = kept.not_valid_after_utc
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    known = {*subject.get_values_for_type(x509.DNSName)}
    known |= {str(address) for address in subject.get_values_for_type(x509.IPAddress)}
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        {*names, *numbers} <= known
        and kept.not_valid_before_utc <= now
        and ends - now > _LEFT
        and key.public_key() == kept.public_key()
    )


def _made(names: list[str], numbers: list[str]) -> bytes:
    """A new key and its certificate, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _NAME)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # the clock of a phone may be slow
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(_alternatives(names, numbers)), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM) + secret


def _alternatives(names: list[str], numbers: list[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    return [
        *(x509.DNSName(name) for name in names),
        *(x509.IPAddress(ipaddress.ip_address(number)) for number in numbers),
    ]


def _write(path: Path, data: bytes) -> None:
    """Never readable for others, not even while it is written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        os.replace(partial, path)
    except OSError as error:
        raise WhatsitError(
            f"the certificate cannot be kept in {os.fspath(path)!r}: {error.strerror or error}",
            hint="is the folder yours? WHATSIT_CACHE names another; or --cert and --key",
        ) from error
