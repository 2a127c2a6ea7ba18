"""A certificate authority for one test run, and one certificate for every host that the tests name.

The keys exist only for the length of the run, in the folder that the caller gives.
"""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOSTS = (
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "*.openai.azure.com",
    "*.googleapis.com",
    "api.mistral.ai",
    "api.cohere.com",
    "*.aliyuncs.com",
    "openrouter.ai",
    "bedrock-runtime.us-east-1.amazonaws.com",
    "api.groq.com",
    "api.x.ai",
    "ollama.com",
    "router.huggingface.co",
    "*.us-east-1.aws.endpoints.huggingface.cloud",
    "example.com",
    "*.example.com",
    "localhost",
)
ADDRESSES = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificates:
    ca: Path
    """The authority's certificate, PEM: what clients of the upstream must trust."""
    chain: Path
    """Private key and certificate of the server, one PEM file."""

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        context.set_alpn_protocols(["http/1.1"])
        return context


def issue(folder: Path) -> Certificates:
    """A new authority and a new certificate, written to `folder`."""
    ca_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name("ai-limit test authority")
    certificates = Certificates(ca=folder / "ca.pem", chain=folder / "server.pem")
    ca = _authority(ca_name, ca_key)
    leaf = _leaf(ca_name, ca_key, leaf_key)
    certificates.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    certificates.chain.write_bytes(_private(leaf_key) + leaf.public_bytes(serialization.Encoding.PEM))
    return certificates


def _authority(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    signing = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # Python 3.13 verifies strictly: an authority without a key usage is refused.
        .add_extension(signing, critical=True)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in HOSTS]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES]
    return (
        _builder(_name("ai-limit test upstream"), issuer, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        # Strict verification wants the issuer's key named as well.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
