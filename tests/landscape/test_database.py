"""The landscape file keeps what was finished, to the last bit, and says clearly what is wrong with a file."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from symland.errors import DatabaseError
from symland.landscape.database import Database, Stored
from symland.records import Descent, Outcome, Pathway, StationaryPoint, Verdict
from symland.rigor.certify import certify
from symland.rigor.refine import refine
from symland.spec import builtin
from symland.symmetry import GroupElement

SPEC = builtin("xor")
ONE = SPEC.with_(hidden=(1,), penalty="1e-2")


def make_points(count: int, seed: int = 0) -> list[StationaryPoint]:
    rng = np.random.default_rng(seed)
    size = SPEC.n_parameters
    return [
        StationaryPoint(
            theta=rng.normal(size=size) * 10.0 ** rng.integers(-300, 2),
            loss=float(rng.random()),
            gradient_norm=1e-17,
            spectrum=np.sort(rng.normal(size=size)),
            index=int(rng.integers(4)),
            nullity=0,
            orbit_size=int(rng.integers(1, 17)),
            outcome=Outcome.CONVERGED,
        )
        for _ in range(count)
    ]


def same(a: StationaryPoint, b: StationaryPoint) -> bool:
    bits = a.theta.tobytes() == b.theta.tobytes() and a.spectrum.tobytes() == b.spectrum.tobytes()
    rest = ("loss", "gradient_norm", "index", "nullity", "orbit_size", "outcome")
    return bits and all(getattr(a, name) == getattr(b, name) for name in rest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "xor.symland"


def test_everything_comes_back_to_the_last_bit_after_closing(path: Path) -> None:
    points = make_points(5)
    element = GroupElement(data=1, places=((1, 0),), signs=((-1, 1),))
    paths = [
        Pathway(transition_state=1, minus=0, plus=2, minus_element=element),
        Pathway(transition_state=1, minus=0, plus=2),
        Pathway(transition_state=3, minus=4, plus=4, plus_element=element),
    ]
    descents = [Descent(saddle=3, end=0, element=element), Descent(saddle=3, end=2)]
    refined, certificate = refine(ONE, [0.0] * 7, digits=20), certify(ONE, [0.0] * 7)
    payload = {"tried": 7, "theta": np.array([[0.1, -0.0], [5e-324, 1e300]])}
    with Database.create(path, SPEC) as database:
        database.put_points(points)
        database.put_pathways(paths)
        database.put_descents(descents)
        database.put_batch(3, payload)
        database.put_refined(2, refined)
        database.put_certificate(2, certificate)
        database.put_proofs([{"identifier": "T5"}])
        database.put_answer("coverage", {"chao1": 4.5}, version=3)
        database.put_state("coverage", {"left": [1, 2]})
        database.put_meta("seed", 11)
    with Database.open(path, SPEC) as database:
        assert database.spec == SPEC
        assert database.spec.digest == SPEC.digest
        assert all(same(a, b) for a, b in zip(points, database.points(), strict=True))
        assert database.pathways() == paths
        assert database.descents() == descents
        (number, back), *rest = database.batches().items()
        assert number == 3
        assert not rest
        assert back["tried"] == 7
        assert back["theta"].tobytes() == payload["theta"].tobytes()
        assert database.refined() == {2: refined}
        assert {n: c.to_dict() for n, c in database.certificates().items()} == {2: certificate.to_dict()}
        assert database.proofs() == [{"identifier": "T5"}]
        assert database.answers() == {"coverage": Stored(version=3, text='{"chao1":4.5}')}
        assert database.state("coverage") == {"left": [1, 2]}
        assert database.meta() == {"seed": 11}


def test_records_of_a_class_survive_while_its_theta_does_and_fall_with_it(path: Path) -> None:
    points = make_points(4)
    with Database.create(path, SPEC) as database:
        database.put_points(points)
        for number in range(4):
            database.put_certificate(number, certify(ONE, [0.0] * 7))
        database.put_pathways(
            [Pathway(transition_state=1, minus=0, plus=0), Pathway(transition_state=3, minus=2, plus=0)]
        )
        database.put_descents([Descent(saddle=3, end=0), Descent(saddle=1, end=0)])
        database.put_answer("enumeration", {"verdict": "certified"})
        database.put_answer("completeness", {"searches": 5}, outlives=True)
        database.put_points(points)
        assert len(database.certificates()) == 4
        assert len(database.answers()) == 2
        database.put_points([points[0], points[1], make_points(1, seed=9)[0]])
        assert set(database.certificates()) == {0, 1}
        assert [p.transition_state for p in database.pathways()] == [1]
        assert [d.saddle for d in database.descents()] == [1]
        assert list(database.answers()) == ["completeness"]
        assert len(database.points()) == 3


def test_a_failed_transaction_leaves_nothing_behind(path: Path) -> None:
    with Database.create(path, SPEC) as database:

        def interrupted() -> None:
            with database.transaction():
                database.put_points(make_points(3))
                database.put_batch(0, {})
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert database.points() == []
        assert database.batches() == {}


WRITER = """
import sys
import numpy as np
from symland.landscape.database import Database, Stored
from symland.records import Outcome, StationaryPoint
from symland.spec import builtin
spec = builtin("xor")
with Database.open_or_create(sys.argv[1], spec) as database:
    for batch in range(len(database.batches()), 10**6):
        points = [
            StationaryPoint(theta=np.full(12, float(batch)), loss=float(n), gradient_norm=0.0, spectrum=np.ones(12),
                            index=0, nullity=0, orbit_size=1, outcome=Outcome.CONVERGED)
            for n in range(40)
        ]
        with database.transaction():
            database.put_points(points)
            database.put_batch(batch, {"points": 40})
        print(batch, flush=True)
"""


def test_a_killed_writer_leaves_whole_batches_and_is_resumed(path: Path) -> None:
    """Points and the batch number are written together: after any SIGKILL they agree."""
    reported = -1
    for kill in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        line = writer.stdout.readline()
        time.sleep(0.003 * kill)
        os.kill(writer.pid, signal.SIGKILL)
        lines = [line, *writer.stdout.readlines()]
        writer.stdout.close()
        writer.wait()
        first, last = int(lines[0]), int([x for x in lines if x.endswith("\n")][-1])
        assert first > reported
        with Database.open(path, SPEC) as database:
            batches, points = database.batches(), database.points()
        done = len(batches) - 1
        assert list(batches) == list(range(done + 1))
        assert done - last in (0, 1)
        assert len(points) == 40
        assert {float(x) for p in points for x in p.theta} == {float(done)}
        reported = done


def test_an_empty_file_left_by_a_kill_at_birth_is_taken_as_no_file(path: Path) -> None:
    path.touch()
    with Database.open_or_create(path, SPEC) as database:
        assert database.points() == []


def not_sqlite(path: Path) -> None:
    path.write_text("index,loss\n0,0.5\n" * 200)


def other_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE minima (energy REAL)")
    connection.close()


def other_version(path: Path) -> None:
    Database.create(path, SPEC).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def other_spec(path: Path) -> None:
    Database.create(path, SPEC.with_(penalty="1e-2")).close()


def altered_spec(path: Path) -> None:
    Database.create(path, SPEC).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE spec SET canonical = replace(canonical, '1/1000', '1/1001')")
    connection.commit()
    connection.close()


def damaged(path: Path) -> None:
    with Database.create(path, SPEC) as database:
        database.put_points(make_points(300))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "not a file"),
        (lambda path: path.mkdir(), "not a file"),
        (not_sqlite, "not a landscape database"),
        (other_sqlite, "not a landscape database"),
        (other_version, "layout 99"),
        (other_spec, "name another file"),
        (altered_spec, "altered"),
        (damaged, "damaged"),
    ],
)
def test_a_file_that_is_not_this_landscape_is_refused_in_one_line(path: Path, make, words: str) -> None:  # type: ignore[no-untyped-def]
    make(path)
    with pytest.raises(DatabaseError, match=words) as caught, Database.open(path, SPEC) as database:
        database.points()
    assert "\n" not in str(caught.value)


def test_a_file_of_layout_1_is_brought_up_to_date_and_loses_nothing_but_its_proof_of_completeness(path: Path) -> None:
    """The file was written by `run`, `prune` and `enumerate` of the code before layout 2."""
    shutil.copy(Path(__file__).parent / "data" / "layout-1.sqlite", path)
    for _ in range(2):
        with Database.open(path, ONE) as database:
            landscape, answers = database.landscape(), database.answers()
            assert database.verify() > 30
    assert landscape.account.counts.classes == (4, 3)
    assert all(landscape.account.certified)
    assert landscape.account.distinct is Verdict.CERTIFIED
    assert len(landscape.refined) == 7
    assert len(landscape.pathways) == 3
    assert set(answers) == {"program", "completeness", "distinctness", "connections", "labels", "embedding"}


@pytest.mark.parametrize("column", ["theta", "loss", "spectrum"])
def test_overwritten_bytes_are_named(path: Path, column: str) -> None:
    with Database.create(path, SPEC) as database:
        database.put_points(make_points(3))
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE point SET {column} = (SELECT {column} FROM point WHERE number = 0) WHERE number = 2")
    connection.commit()
    connection.close()
    with Database.open(path) as database, pytest.raises(DatabaseError, match="record 2 of table point is damaged"):
        database.verify()


def test_create_refuses_to_write_over_a_landscape(path: Path) -> None:
    Database.create(path, SPEC).close()
    with pytest.raises(DatabaseError, match="exists already"):
        Database.create(path, SPEC)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_json_cannot_say_is_refused(path: Path, value: object) -> None:
    with Database.create(path, SPEC) as database, pytest.raises(DatabaseError, match="cannot be stored"):
        database.put_meta("key", {"value": value})


def test_a_record_of_an_unknown_class_and_a_point_of_another_width_are_refused(path: Path) -> None:
    with Database.create(path, SPEC.with_(hidden=(3,))) as database:
        with pytest.raises(DatabaseError, match="12 parameters"):
            database.put_points(make_points(1))
        with pytest.raises(DatabaseError, match="does not fit"):
            database.put_certificate(0, certify(ONE, [0.0] * 7))
        with pytest.raises(DatabaseError, match="does not fit"):
            database.put_pathways([Pathway(transition_state=0, minus=0, plus=0)])


def test_a_full_disk_is_one_line_and_keeps_what_was_finished(path: Path) -> None:
    """SQLite's own limit on the size of a file stands for the disk."""
    with Database.create(path, SPEC) as database:
        database.put_points(make_points(2))
        database._connection.execute("PRAGMA max_page_count = 30")
        with pytest.raises(DatabaseError, match="disk is full"):
            database.put_points(make_points(2000))
        assert len(database.points()) == 2
        database.put_meta("seed", 1)
