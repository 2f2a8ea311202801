"""Files of other programs give back what was written, to the last bit, and say where they are wrong."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from symland.errors import DatabaseError
from symland.landscape.exchange import (
    PathsampleFiles,
    PathsampleMinimum,
    PathsampleState,
    export_pathsample,
    import_pathsample,
    read_pathsample,
    write_csv,
    write_graphml,
    write_parquet,
    write_pathsample,
)
from symland.landscape.landscape import Landscape
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Descent, Outcome, Pathway, StationaryPoint
from symland.spec import builtin
from symland.symbolic.symmetry import find_symmetry

SPEC = builtin("xor").with_(hidden=(1,), penalty="1e-2")
GROUP = find_symmetry(SPEC, verify=False)


def stationary_points() -> tuple[list[StationaryPoint], list[Pathway]]:
    """Stationary points of the 2-1-2 XOR network by plain Newton from random starts, minima first."""
    rng, program = np.random.default_rng(5), build_program(SPEC)
    theta = rng.normal(size=(150, SPEC.n_parameters)) * 2
    theta[0] = 0
    for _ in range(120):
        _, gradient, hessian = evaluate(program, theta)
        values, vectors = np.linalg.eigh(hessian)
        pushed = np.einsum("nij,ni->nj", vectors, gradient) / np.where(np.abs(values) < 1e-3, 1e-3, values)
        step = -np.einsum("nij,nj->ni", vectors, pushed)
        theta = theta + step * np.minimum(1, 0.5 / np.maximum(np.abs(step).max(1, keepdims=True), 1e-300))
    loss, gradient, hessian = evaluate(program, theta)
    points: list[StationaryPoint] = []
    for t, e, g, h in zip(theta, loss, gradient, hessian, strict=True):
        if np.abs(g).max() < 1e-13 and not any(GROUP.match(t, p.theta) for p in points):
            spectrum = np.linalg.eigvalsh(h)
            points.append(
                StationaryPoint(
                    theta=t,
                    loss=float(e),
                    gradient_norm=float(np.abs(g).max()),
                    spectrum=spectrum,
                    index=int((spectrum < 0).sum()),
                    nullity=0,
                    orbit_size=GROUP.orbit_size(t),
                    outcome=Outcome.CONVERGED,
                )
            )
    points.sort(key=lambda p: (p.index, p.loss))
    states = [n for n, p in enumerate(points) if p.index == 1]
    # Which minima they join does not matter here: both ends of each are chosen below it.
    return points, [Pathway(transition_state=n, minus=0, plus=1) for n in states]


POINTS, PATHS = stationary_points()


def landscape(paths: Sequence[Pathway] = (), descents: Sequence[Descent] = ()) -> Landscape:
    return Landscape(spec=SPEC, points=tuple(POINTS), pathways=tuple(paths or PATHS), descents=tuple(descents))


floats = st.floats(allow_nan=False, allow_infinity=False, width=64)


@st.composite
def files(draw: st.DrawFn) -> PathsampleFiles:
    n, m, size = draw(st.integers(1, 4)), draw(st.integers(0, 3)), 3
    ends = st.integers(1, n)
    moments = st.tuples(floats, floats, floats)
    return PathsampleFiles(
        minima=tuple(
            PathsampleMinimum(
                loss=draw(floats), log_det=draw(floats), order=draw(st.integers(1, 99)), moments=draw(moments)
            )
            for _ in range(n)
        ),
        states=tuple(
            PathsampleState(
                loss=draw(floats), log_det=draw(floats), order=1, minima=(draw(ends), draw(ends)), moments=draw(moments)
            )
            for _ in range(m)
        ),
        theta_minima=draw(arrays(np.float64, (n, size), elements=floats)),
        theta_states=draw(arrays(np.float64, (m, size), elements=floats)),
        a=(1,),
        b=tuple(range(2, n + 1)),
    )


@drawn(files())
def test_pathsample_files_come_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, given: PathsampleFiles
) -> None:
    folder = tmp_path_factory.mktemp("ps")
    write_pathsample(folder, given)
    back = read_pathsample(folder, 3)
    assert [repr(x) for x in (back.minima, back.states, back.a, back.b)] == [
        repr(x) for x in (given.minima, given.states, given.a, given.b)
    ]
    assert back.theta_minima.tobytes() == given.theta_minima.tobytes()
    assert back.theta_states.tobytes() == given.theta_states.tobytes()


def test_points_exported_and_imported_are_the_same_points(tmp_path: Path) -> None:
    """All index-0 and index-1 classes of the smallest XOR landscape: 4 and 3."""
    assert [p.index for p in POINTS].count(0) == 4
    assert [p.index for p in POINTS].count(1) == 3
    write_pathsample(tmp_path, export_pathsample(landscape()))
    points, paths = import_pathsample(read_pathsample(tmp_path, SPEC.n_parameters), SPEC, GROUP)
    assert [p.theta.tobytes() for p in points] == [p.theta.tobytes() for p in POINTS if p.index < 2]
    assert [(p.index, p.orbit_size, p.nullity) for p in points] == [
        (p.index, p.orbit_size, 0) for p in POINTS if p.index < 2
    ]
    assert [p.loss for p in points] == pytest.approx([p.loss for p in POINTS if p.index < 2], rel=1e-14)
    assert paths == PATHS


def test_min_data_holds_what_pathsample_expects(tmp_path: Path) -> None:
    """Against the definition, with the order 8 of the group and numbers that open the file with plain text tools."""
    write_pathsample(tmp_path, export_pathsample(landscape()))
    lines = (tmp_path / "min.data").read_text().splitlines()
    for line, point in zip(lines, POINTS, strict=False):
        loss, product, order, *moments = line.split()
        assert float(loss) == point.loss
        assert float(product) == pytest.approx(sum(np.log(w) for w in point.spectrum if w > 0), rel=1e-14)
        assert int(order) * point.orbit_size == GROUP.order
        assert moments == ["1.0", "1.0", "1.0"]
    assert (tmp_path / "points.min").stat().st_size == 8 * 7 * 4
    assert np.fromfile(tmp_path / "points.min").reshape(4, 7)[2].tobytes() == POINTS[2].theta.tobytes()
    assert (tmp_path / "min.A").read_text().split() == ["1", "1"]
    assert (tmp_path / "min.B").read_text().split() == ["3", "2", "3", "4"]
    assert (tmp_path / "ts.data").read_text().split()[3:5] == ["1", "2"]


def test_a_branch_that_ends_on_a_saddle_is_written_with_the_lowest_minimum_below_it() -> None:
    """4 joins minimum 3 to the transition state 5, which joins 1 and 2; 6 ends on 4, and so on the basin of 1."""
    order = sorted(range(4, 7), key=lambda n: POINTS[n].loss)
    low, middle, high = order
    paths = [
        Pathway(transition_state=low, minus=2, plus=1),
        Pathway(transition_state=middle, minus=3, plus=low),
        Pathway(transition_state=high, minus=0, plus=middle),
    ]
    exported = export_pathsample(landscape(paths))
    assert [state.minima for state in exported.states] == [(3, 2), (4, 2), (1, 2)]
    lost = export_pathsample(landscape(paths[1:]))
    # Nothing is known of what lies below the lowest: 3 is all that the middle one leads to.
    assert [state.minima for state in lost.states] == [(1, 4)]
    found = export_pathsample(landscape(paths[1:], [Descent(saddle=low, end=2)]))
    assert [state.minima for state in found.states] == [(4, 3), (1, 3)]


def test_fortran_exponents_and_rough_points_are_read_and_polished(tmp_path: Path) -> None:
    """Points as the group's programs leave them: gradients of 1e-7, exponents with a D."""
    rng = np.random.default_rng(1)
    exported = export_pathsample(landscape())
    write_pathsample(tmp_path, exported)
    rough = exported.theta_minima + 1e-7 * rng.normal(size=exported.theta_minima.shape)
    (tmp_path / "points.min").write_bytes(rough.tobytes())
    text = "".join(
        f"  {m.loss:.16E} {m.log_det:.16E}   {m.order}  1.0D0 0.1D+01 1.0\n".replace("E", "D") for m in exported.minima
    )
    (tmp_path / "min.data").write_text(text)
    points, _ = import_pathsample(read_pathsample(tmp_path, 7), SPEC, GROUP)
    for point, known in zip(points, POINTS, strict=False):
        assert np.abs(point.theta - known.theta).max() < 1e-9
        assert point.index == known.index


def test_a_saddle_filed_as_a_minimum_gets_its_own_index_and_copies_one_class(tmp_path: Path) -> None:
    saddle = next(p for p in POINTS if p.index == 1)
    image = GROUP.apply(GROUP.random_element(np.random.default_rng(4)), saddle.theta)
    line = PathsampleMinimum(loss=saddle.loss, log_det=0.0, order=1)
    both = PathsampleFiles(
        minima=(line, line), states=(), theta_minima=np.stack([saddle.theta, image]), theta_states=np.zeros((0, 7))
    )
    (point,), _ = import_pathsample(both, SPEC, GROUP)
    assert point.index == 1


def spoil(name: str, data: bytes | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        if data is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(data)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoil("min.data", None), "min.data: cannot be read"),
        (spoil("points.ts", None), "points.ts: cannot be read"),
        (spoil("points.min", b"\0" * 100), "100 bytes, expected 224"),
        (spoil("min.data", b"0.6 -20.0 1 1.0 1.0\n"), "min.data:1"),
        (spoil("min.data", b"0.6 -20.0 1.5 1.0 1.0 1.0\n"), "min.data:1"),
        (spoil("min.data", b"\xff\xfe"), "not ASCII"),
        (spoil("ts.data", b"0.7 -20.0 1 1 9 1 1 1\n0.7 -20.0 1 1 2 1 1 1\n0.7 -20.0 1 1 2 1 1 1\n"), "minimum 9 of 4"),
        (spoil("min.A", b"2\n1\n"), "min.A"),
        (spoil("min.B", b"1\n7\n"), "minimum 7 of 4"),
        (spoil("points.min", np.full(28, np.nan).tobytes()), "NaN"),
    ],
)
def test_malformed_files_are_refused_in_one_line(tmp_path: Path, change: Callable[[Path], None], words: str) -> None:
    write_pathsample(tmp_path, export_pathsample(landscape()))
    change(tmp_path)
    with pytest.raises(DatabaseError, match=words) as caught:
        read_pathsample(tmp_path, 7)
    assert "\n" not in str(caught.value)


def test_points_of_another_network_are_refused() -> None:
    exported = export_pathsample(landscape())
    with pytest.raises(DatabaseError, match="the loss is"):
        import_pathsample(exported, SPEC.with_(penalty="1e-1"), GROUP)
    with pytest.raises(DatabaseError, match="parameters for a network"):
        import_pathsample(exported, SPEC.with_(hidden=(2,)), GROUP)
    with pytest.raises(DatabaseError, match="not a minimum"):
        export_pathsample(landscape(), a=[4])


def test_csv_holds_every_float_to_the_last_bit(tmp_path: Path) -> None:
    write_csv(tmp_path, landscape())
    with (tmp_path / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(POINTS)
    for row, point in zip(rows, POINTS, strict=True):
        theta = np.array([float(row[name]) for name in SPEC.layout.names()])
        assert theta.tobytes() == point.theta.tobytes()
        assert float(row["loss"]) == point.loss
        assert int(row["copies"]) == point.orbit_size
    with (tmp_path / "pathways.csv").open(newline="") as file:
        assert [int(row["transition_state"]) for row in csv.DictReader(file)] == [4, 5, 6]


def test_graphml_keeps_every_edge(tmp_path: Path) -> None:
    paths = [*PATHS, Pathway(transition_state=4, minus=2, plus=2)]
    graph = nx.read_graphml(write_graphml(tmp_path / "network.graphml", landscape(paths)), force_multigraph=True)
    assert sorted(data["transition_state"] for _, _, data in graph.edges(data=True)) == [4, 4, 5, 6]
    assert graph.nodes["2"]["loss"] == POINTS[2].loss
    assert graph.number_of_edges("2", "2") == 1


def test_parquet_holds_the_table_of_csv_or_says_what_to_install(tmp_path: Path) -> None:
    try:
        from pyarrow import parquet
    except ImportError:
        with pytest.raises(DatabaseError, match="pyarrow"):
            write_parquet(tmp_path, landscape())
        return
    write_parquet(tmp_path, landscape())
    assert parquet.read_table(tmp_path / "classes.parquet")["loss"].to_pylist() == [p.loss for p in POINTS]


def test_disconnection_dps_draws_our_export(tmp_path: Path) -> None:
    """With the program of the package pylfl, where that is installed."""
    pylfl = pytest.importorskip("pylfl")
    program = tmp_path / "disconnectionDPS"
    shutil.copyfile(Path(pylfl.__file__).parent / "bin" / "linux" / "disconnectionDPS", program)
    program.chmod(0o755)
    write_pathsample(tmp_path, export_pathsample(landscape()))
    (tmp_path / "dinfo").write_text(
        "DELTA 0.01\nFIRST 0.75\nLEVELS 20\nMINIMA min.data\nTS ts.data\nNCONNMIN 0\nLOWEST 10\nIDENTIFY\n"
    )
    run = subprocess.run([program], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    picture = (tmp_path / "tree.ps").read_text()
    # The three transition states join the minima 1 and 2; the others stand alone and are left out by NCONNMIN.
    assert "(1) show" in picture
    assert "(2) show" in picture
