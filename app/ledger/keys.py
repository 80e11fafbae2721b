"""The key that signs promises and heads: ECDSA on P-256 with SHA-256, given by reference to a file.

The algorithm stands beside every signature, so that another can follow. Signatures are the 64 bytes r ‖ s that browsers make and
check, in hexadecimal. Browsers of older offices lack Ed25519.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from flask import current_app

from app.config import SettingsError
from app.ledger.statements import canonical

ALGORITHM = "ES256"
EXAMPLE = "LEDGER_KEY_FILE=/etc/mingjian/ledger_key.pem (make it once with: flask --app app ledger new-key FILE)"
_ECDSA = ec.ECDSA(hashes.SHA256())


class Signer:
    """A private key in use. `key_id` is the SHA-256 of its public half (SubjectPublicKeyInfo, DER), in hexadecimal."""

    algorithm = ALGORITHM

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = hashlib.sha256(self.public).hexdigest()

    def sign(self, statement: Mapping[str, Any]) -> str:
        """The signature of a statement, in hexadecimal."""
        r, s = decode_dss_signature(self._key.sign(canonical(statement), _ECDSA))
        return (r.to_bytes(32) + s.to_bytes(32)).hex()


def verify(public: bytes, statement: Mapping[str, Any], signature: str) -> bool:
    """Whether `signature` is that of the statement under the public key (DER)."""
    try:
        key = serialization.load_der_public_key(public)
        raw = bytes.fromhex(signature)
        if not isinstance(key, ec.EllipticCurvePublicKey) or len(raw) != 64:
            return False
        key.verify(
            encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:])), canonical(statement), _ECDSA
        )
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def new_key_pem() -> str:
    """A fresh private key as PEM."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


def signer() -> Signer:
    """The signer of the running application.

    Raises SettingsError when the key file is missing or unusable. A test without a key file signs with a key that lives as long
    as the process.
    """
    settings = current_app.config["SETTINGS"]
    if settings.ledger_key_file is None:
        if settings.mode == "production":
            raise SettingsError([f"LEDGER_KEY_FILE is missing: receipts and heads are signed with it. Example: {EXAMPLE}"])
        return _made_up()
    return _read(settings.ledger_key_file)


@lru_cache(maxsize=1)
def _made_up() -> Signer:
    return Signer(ec.generate_private_key(ec.SECP256R1()))


@lru_cache(maxsize=8)
def _read(path: Path) -> Signer:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError([f"LEDGER_KEY_FILE can not be read ({error.strerror}). Example: {EXAMPLE}"]) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError([f"LEDGER_KEY_FILE is not an unencrypted PEM key. Example: {EXAMPLE}"]) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SettingsError([f"LEDGER_KEY_FILE is not a key on the curve P-256. Example: {EXAMPLE}"])
    return Signer(key)
