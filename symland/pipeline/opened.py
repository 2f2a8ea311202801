"""Files that a reader wants checked: certificates, saved proofs, bundles. Nothing that makes them is loaded here."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

from symland.errors import CertificateError

__all__ = ["MANIFEST", "read_bundle", "read_saved"]

MANIFEST = "manifest-sha256.txt"
"""The list of digests in a bundle."""

LARGEST_MEMBER = 500_000_000
"""Bytes of one file of a bundle; a longer one is refused unread."""

LONGEST_FILE = 50_000_000
"""Bytes of a file that is looked into; the checkers have limits of their own."""


def read_saved(path: Path) -> bytes:
    """What stands in a certificate or a saved proof.

    Raises
    ------
    CertificateError
        If the file cannot be read or is neither: nothing in it could be refuted then.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read ({error.strerror}); give certificates or proofs") from None
    try:
        values = json.loads(text) if len(text) <= LONGEST_FILE else None
    except (ValueError, RecursionError):
        values = None
    known = isinstance(values, dict) and str(values.get("format", values.get("schema", ""))).startswith("symland")
    if not known:
        what = f"{path}: neither a certificate nor a saved proof"
        raise CertificateError(f"{what}; give a file that `symland certify -o` or `symland prove -o` wrote")
    return text


def read_bundle(path: Path) -> dict[str, bytes]:
    """The certificates and proofs of a bundle by name, after every file was compared with its digest.

    Raises
    ------
    CertificateError
        If it is no bundle, or a file is missing, added or changed.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            long = [info.filename for info in bundle.infolist() if info.file_size > LARGEST_MEMBER]
            if long:
                raise CertificateError(f"{path}: {long[0]} has more than {LARGEST_MEMBER} bytes; unpack it yourself")
            members = {info.filename: bundle.read(info) for info in bundle.infolist() if not info.is_dir()}
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise CertificateError(f"{path}: no readable bundle ({error}); give what `symland bundle` wrote") from None
    if MANIFEST not in members:
        raise CertificateError(f"{path}: a zip file without {MANIFEST}; give what `symland bundle` wrote")
    lines = members.pop(MANIFEST).decode("utf-8", "replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in sorted(set(members) ^ set(listed)):
        raise CertificateError(f"{path}: {name} is {'not listed' if name in members else 'missing'}; get it again")
    for name, content in members.items():
        if hashlib.sha256(content).hexdigest() != listed[name]:
            raise CertificateError(f"{path}: {name} was changed; get the bundle again")
    return {
        name: content
        for name, content in sorted(members.items())
        if name.endswith(".json") and name.startswith(("proofs/", "landscapes/"))
    }
