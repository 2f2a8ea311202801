"""A bundle is checked by a stranger: whole, it holds; with any file changed, added or missing, it is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from symland import pipeline
from symland.cli import main
from symland.errors import CertificateError, ReportError
from symland.landscape.database import Database
from symland.pipeline.bundle import write_bundle
from symland.pipeline.opened import MANIFEST, read_bundle
from symland.rigor.certify import certify
from symland.spec import builtin

SPEC = builtin("xor").with_(hidden=(1,), penalty="1/20")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    with Database.create(folder / "one.sqlite", SPEC) as database:
        pipeline.explore_into(database, until="morse")
        for number, point in enumerate(database.points()):
            database.put_certificate(number, certify(SPEC, point.theta))
    with pytest.raises(SystemExit) as ended:
        main(["enumerate", "--db", str(folder / "one.sqlite"), "--by", "boxes"])
    assert ended.value.code == 0
    with Database.open(folder / "one.sqlite") as database:
        database.put_proofs([{"identifier": "T2-gauge", "steps": []}])
        path = write_bundle([database], folder / "b.zip")
        again = write_bundle([database], folder / "again.zip")
    same = {n: c for n, c in read_bundle(again).items() if not n.startswith("proofs/")}
    assert same == {n: c for n, c in read_bundle(path).items() if not n.startswith("proofs/")}
    return path


def changed(bundle: Path, to: Path, drop: str = "", **add: bytes) -> Path:
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            if name != drop:
                new.writestr(name, add.pop(name, old.read(name)))
        for name, content in add.items():
            new.writestr(name, content)
    return to


def test_a_bundle_holds_what_its_metadata_say_and_is_proved_again(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(bundle) as opened:
        names = set(opened.namelist())
        graph = json.loads(opened.read("ro-crate-metadata.json"))["@graph"]
        points = len([n for n in names if "/certificates/" in n])
    described = {part["@id"] for part in graph}
    assert {n for n in names if not n.startswith("checker/")} - {MANIFEST, "ro-crate-metadata.json"} <= described
    assert {"checker/symland/rigor/check.py", "checker/symland/cli/__init__.py"} <= names
    assert not [n for n in names if "__pycache__" in n]
    with pytest.raises(SystemExit) as ended:
        main(["check", str(bundle), "--json"])
    assert ended.value.code == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in rows} == {"certified"}
    assert len(rows) == points + 2
    assert any(row["file"].endswith("enumeration.json") for row in rows)


def test_a_bundle_that_was_changed_is_refused_with_the_name_of_the_file(bundle: Path, tmp_path: Path) -> None:
    (victim,) = [n for n in read_bundle(bundle) if n.endswith("class-0.json")]
    other = changed(bundle, tmp_path / "a.zip", **{victim: b"{}"})
    with pytest.raises(CertificateError, match=r"class-0\.json was changed"):
        read_bundle(other)
    with pytest.raises(CertificateError, match=r"class-0\.json is missing"):
        read_bundle(changed(bundle, tmp_path / "b.zip", drop=victim))
    with pytest.raises(CertificateError, match=r"proofs/mine\.json is not listed"):
        read_bundle(changed(bundle, tmp_path / "c.zip", **{"proofs/mine.json": b"{}"}))
    with pytest.raises(CertificateError, match="without manifest"):
        read_bundle(changed(bundle, tmp_path / "d.zip", drop=MANIFEST))
    (tmp_path / "e.zip").write_bytes(np.random.default_rng(0).bytes(1000))
    with pytest.raises(CertificateError, match="no readable bundle"):
        read_bundle(tmp_path / "e.zip")


def test_a_bundle_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="at least one"):
        write_bundle([], tmp_path / "none.zip")
