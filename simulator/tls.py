"""A certificate for web.whatsapp.com that only a browser told of its key's pin believes."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from simulator.problem import Refused

HOST = "web.whatsapp.com"


def key(file: Path | None) -> ec.EllipticCurvePrivateKey:
    """The key in `file` (PEM, made there when absent), or a new one. Raises Refused for another kind of key."""
    if file is None or not file.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        if file is not None:
            file.touch(mode=0o600)
            file.write_bytes(_pem(made))
        return made
    found = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise Refused(f"{file} holds no elliptic-curve key; remove it and one is made")
    return found


def pin(own: ec.EllipticCurvePrivateKey) -> str:
    """The base64 SHA-256 of the public key, as Chromium's --ignore-certificate-errors-spki-list takes it."""
    spki = own.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def context(own: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(own, hashes.SHA256())
    )
    # Python's ssl takes certificates from files alone.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM) + _pem(own))
        file.flush()
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file.name)
    return made


def _pem(own: ec.EllipticCurvePrivateKey) -> bytes:
    return own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
