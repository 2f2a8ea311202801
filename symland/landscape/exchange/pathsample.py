"""PATHSAMPLE's files (Wales group), read and written to the last bit, and their points verified.

    min.data    E, ln prod of the positive Hessian eigenvalues, order of the point group, three moments of inertia
    ts.data     E, ln prod, order, the two minima counted from 1, three moments
    points.min, points.ts    theta of each line as raw float64
    min.A, min.B             a count, then minima counted from 1

For a network the order is that of the stabiliser, and 1.0 stands for the moments. Floats are written with the fewest
digits that give the same float64 back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symland.errors import DatabaseError
from symland.landscape.exchange.files import write_bytes
from symland.landscape.landscape import Landscape
from symland.landscape.network import log_det
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.program.ir import Program
from symland.records import Descent, FloatArray, Outcome, Pathway, StationaryPoint, read_only
from symland.spec import LandscapeSpec
from symland.symmetry import SymmetryGroup
from symland.tolerances import FARTHEST_MOVE, NULL_CURVATURE, count_signs

__all__ = [
    "PathsampleFiles",
    "PathsampleMinimum",
    "PathsampleState",
    "export_pathsample",
    "import_pathsample",
    "read_pathsample",
    "write_pathsample",
]

STATIONARY = 1e-9
"""Largest gradient component at which a point that is read is kept to the bit, in units of the loss over theta."""

NEWTON_STEPS = 8
"""Newton steps that bring a point with a larger gradient to a stationary point."""

LOSS_TOLERANCE = 1e-6
"""Largest difference of the loss in a file from the loss computed, in units of 1 + |loss|."""

_Moments = tuple[float, float, float]
_NO_MOMENTS: _Moments = (1.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class PathsampleMinimum:
    """A line of min.data."""

    loss: float
    log_det: float
    order: int
    moments: _Moments = _NO_MOMENTS


@dataclass(frozen=True, kw_only=True)
class PathsampleState:
    """A line of ts.data; `minima` are counted from 1, as there."""

    loss: float
    log_det: float
    order: int
    minima: tuple[int, int]
    moments: _Moments = _NO_MOMENTS


@dataclass(frozen=True, kw_only=True, eq=False)
class PathsampleFiles:
    """What the six files say.

    Attributes
    ----------
    minima, states : lines of min.data and ts.data
    theta_minima, theta_states : (n, P) float64
        points.min and points.ts.
    a, b : tuple of int
        min.A and min.B, counted from 1.
    """

    minima: tuple[PathsampleMinimum, ...]
    states: tuple[PathsampleState, ...]
    theta_minima: FloatArray
    theta_states: FloatArray
    a: tuple[int, ...] = ()
    b: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, lines in (("theta_minima", self.minima), ("theta_states", self.states)):
            object.__setattr__(self, name, read_only(getattr(self, name), 2))
            if len(getattr(self, name)) != len(lines):
                raise DatabaseError(f"{len(lines)} lines for {len(getattr(self, name))} points; give one for each")
        known = range(1, len(self.minima) + 1)
        for name, numbers in (("min.A", self.a), ("min.B", self.b), *(("ts.data", s.minima) for s in self.states)):
            if strange := [n for n in numbers if n not in known]:
                raise DatabaseError(f"{name} names minimum {strange[0]} of {len(self.minima)}; count from 1")


# -- files --------------------------------------------------------------------------------------------------------


def write_pathsample(folder: str | Path, files: PathsampleFiles) -> list[Path]:
    """Write the six files into a folder.

    Raises
    ------
    DatabaseError
        If one cannot be written.
    """
    texts = {
        "min.data": [_line(m.loss, m.log_det, m.order, *m.moments) for m in files.minima],
        "ts.data": [_line(s.loss, s.log_det, s.order, *s.minima, *s.moments) for s in files.states],
        "min.A": [str(len(files.a)), *map(str, files.a)],
        "min.B": [str(len(files.b)), *map(str, files.b)],
    }
    out = [write_bytes(Path(folder, name), "".join(f"{x}\n" for x in lines).encode()) for name, lines in texts.items()]
    for name, theta in (("points.min", files.theta_minima), ("points.ts", files.theta_states)):
        out.append(write_bytes(Path(folder, name), theta.astype("<f8").tobytes()))
    return out


def _line(*values: float | int) -> str:
    return " ".join(repr(value) for value in values)


def read_pathsample(folder: str | Path, n_parameters: int) -> PathsampleFiles:
    """Read the six files; min.A and min.B may be missing.

    Raises
    ------
    DatabaseError
        If a file is missing or malformed, with its name and line.
    """
    folder = Path(folder)
    minima = tuple(
        PathsampleMinimum(loss=row[0], log_det=row[1], order=int(row[2]), moments=(row[3], row[4], row[5]))
        for row in _table(folder / "min.data", 6, whole=(2,))
    )
    states = tuple(
        PathsampleState(
            loss=row[0],
            log_det=row[1],
            order=int(row[2]),
            minima=(int(row[3]), int(row[4])),
            moments=(row[5], row[6], row[7]),
        )
        for row in _table(folder / "ts.data", 8, whole=(2, 3, 4))
    )
    return PathsampleFiles(
        minima=minima,
        states=states,
        theta_minima=_thetas(folder / "points.min", len(minima), n_parameters),
        theta_states=_thetas(folder / "points.ts", len(states), n_parameters),
        a=_chosen(folder / "min.A"),
        b=_chosen(folder / "min.B"),
    )


def _table(path: Path, width: int, whole: Sequence[int]) -> Iterator[list[float]]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            # Fortran writes exponents of double precision with a D.
            row = [float(cell) for cell in line.upper().replace("D", "E").split()]
        except ValueError:
            row = []
        if len(row) != width or not np.isfinite(row).all() or any(row[k] != int(row[k]) for k in whole):
            raise DatabaseError(
                f"{path}:{number}: {line.strip()[:60]!r}; expected {width} finite numbers, whole ones at "
                f"{', '.join(str(k + 1) for k in whole)}"
            )
        yield row


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII text"
        raise DatabaseError(f"{path}: cannot be read ({reason}); give a folder with PATHSAMPLE's files") from None


def _thetas(path: Path, count: int, size: int) -> FloatArray:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatabaseError(f"{path}: cannot be read ({error.strerror}); give PATHSAMPLE's files") from None
    if len(data) != 8 * count * size:
        raise DatabaseError(
            f"{path}: {len(data)} bytes, expected {8 * count * size} for {count} points of {size} parameters; "
            "give files of one run of the same network"
        )
    theta = np.frombuffer(data, dtype="<f8").astype(np.float64).reshape(count, size)
    if not np.isfinite(theta).all():
        raise DatabaseError(f"{path}: holds an infinity or NaN; give the file that goes with the .data file")
    return theta


def _chosen(path: Path) -> tuple[int, ...]:
    if not path.exists():
        return ()
    words = _text(path).split()
    if not words or not all(word.isdecimal() for word in words) or int(words[0]) != len(words) - 1:
        raise DatabaseError(f"{path}: expected a count and as many minima, counted from 1")
    return tuple(map(int, words[1:]))


# -- points -------------------------------------------------------------------------------------------------------


def export_pathsample(
    landscape: Landscape, *, a: Sequence[int] | None = None, b: Sequence[int] | None = None
) -> PathsampleFiles:
    """Minima and transition states for PATHSAMPLE.

    Its minima are the classes of index 0 in their order, its transition states the pathways between two of them. These
    files know no saddles as ends: a branch that ends on one is written with the lowest minimum downhill of it, which is
    of the same superbasin below the transition state, and left out where none is known. Classes of higher index are.

    Parameters
    ----------
    a, b : class numbers of minima
        By default the lowest minimum, and the others.

    Raises
    ------
    DatabaseError
        If `a` or `b` names something else than minima.
    """
    points = landscape.points
    minima = [n for n, point in enumerate(points) if point.index == 0 and not point.nullity]
    place = {n: k for k, n in enumerate(minima, start=1)}
    lowest = min(minima, key=lambda n: points[n].loss, default=-1)
    chosen = []
    defaults = [n for n in minima if n == lowest], [n for n in minima if n != lowest]
    for name, given, default in (("A", a, defaults[0]), ("B", b, defaults[1])):
        numbers = default if given is None else list(given)
        if strange := [n for n in numbers if n not in place]:
            raise DatabaseError(f"min.{name}: class {strange[0]} is not a minimum; name classes of index 0")
        chosen.append(tuple(place[n] for n in numbers))
    bottom = _bottoms(points, landscape.pathways, landscape.descents)
    ends = [(path, bottom.get(path.minus), bottom.get(path.plus)) for path in landscape.pathways]
    states = [(path, place[minus], place[plus]) for path, minus, plus in ends if minus in place and plus in place]
    order, size = landscape.group.order, landscape.spec.n_parameters
    return PathsampleFiles(
        minima=tuple(
            PathsampleMinimum(loss=p.loss, log_det=log_det(p), order=order // p.orbit_size)
            for p in (points[n] for n in minima)
        ),
        states=tuple(
            PathsampleState(
                loss=p.loss,
                log_det=log_det(p),
                order=order // p.orbit_size,
                minima=(minus, plus),
            )
            for p, minus, plus in ((points[path.transition_state], minus, plus) for path, minus, plus in states)
        ),
        theta_minima=np.array([points[n].theta for n in minima]).reshape(-1, size),
        theta_states=np.array([points[path.transition_state].theta for path, _, _ in states]).reshape(-1, size),
        a=chosen[0],
        b=chosen[1],
    )


def _bottoms(
    points: Sequence[StationaryPoint], pathways: Sequence[Pathway], descents: Iterable[Descent]
) -> dict[int, int]:
    """The lowest minimum downhill of each class that a branch may end on; a minimum is its own."""
    downhill: dict[int, set[int]] = {}
    for path in pathways:
        downhill.setdefault(path.transition_state, set()).update((path.minus, path.plus))
    for descent in descents:
        downhill.setdefault(descent.saddle, set()).add(descent.end)
    bottom = {n: n for n, point in enumerate(points) if point.index == 0}
    # Every step leads down, so that in order of the loss what lies downhill is known before.
    for number in sorted(downhill, key=lambda n: points[n].loss):
        reached = [bottom[end] for end in downhill[number] if end in bottom]
        if number not in bottom and reached:
            bottom[number] = min(reached, key=lambda n: (points[n].loss, n))
    return bottom


def import_pathsample(
    files: PathsampleFiles, spec: LandscapeSpec, group: SymmetryGroup
) -> tuple[list[StationaryPoint], list[Pathway]]:
    """Points and pathways of the same potential, with everything about them computed anew.

    Each theta is checked against the loss in the file. Points that are stationary to `STATIONARY` keep their bits;
    others are brought there by Newton's method. Loss, gradient, spectrum, index and orbit size are computed here, so
    a point that the files call a transition state and that has index 2 is of index 2. Lines that are copies of one
    another under the group make one class.

    Returns
    -------
    points : classes, minima in the order of the file first, then transition states
    pathways : one for each line of ts.data, without group elements, which the files do not hold

    Raises
    ------
    DatabaseError
        If the network is another one, a loss differs, or a point is not stationary.
    """
    if files.theta_minima.shape[1] != spec.n_parameters:
        raise DatabaseError(
            f"points of {files.theta_minima.shape[1]} parameters for a network of {spec.n_parameters}; "
            "give its own files"
        )
    program = build_program(spec)
    classes: list[StationaryPoint] = []

    def filed(lines: Sequence[PathsampleMinimum | PathsampleState], thetas: FloatArray, name: str) -> list[int]:
        return [
            _file(classes, _verified(program, group, theta, line.loss, f"{name}:{n}"), group)
            for n, (line, theta) in enumerate(zip(lines, thetas, strict=True), start=1)
        ]

    minima = filed(files.minima, files.theta_minima, "min.data")
    states = filed(files.states, files.theta_states, "ts.data")
    pathways = [
        Pathway(transition_state=number, minus=minima[line.minima[0] - 1], plus=minima[line.minima[1] - 1])
        for number, line in zip(states, files.states, strict=True)
    ]
    return classes, pathways


def _verified(program: Program, group: SymmetryGroup, theta: FloatArray, loss: float, where: str) -> StationaryPoint:
    value, gradient, hessian = (x[0] for x in evaluate(program, theta[None]))
    if not abs(value - loss) <= LOSS_TOLERANCE * (1 + abs(loss)):
        raise DatabaseError(f"{where}: the loss is {loss!r}, this network has {float(value)!r}; give its own files")
    start, scale = theta, 1 + float(np.abs(theta).max(initial=0.0))
    for _ in range(NEWTON_STEPS):
        if np.abs(gradient).max() <= STATIONARY:
            break
        theta = theta - np.linalg.lstsq(hessian, gradient, rcond=NULL_CURVATURE)[0]
        value, gradient, hessian = (x[0] for x in evaluate(program, theta[None]))
    moved = float(np.abs(theta - start).max(initial=0.0))
    if not np.abs(gradient).max() <= STATIONARY or not moved <= FARTHEST_MOVE * scale:
        raise DatabaseError(f"{where}: not stationary, Newton's method moved it by {moved:.1e}; leave it out")
    spectrum = np.linalg.eigvalsh(hessian)
    index, nullity = count_signs(spectrum)
    return StationaryPoint(
        theta=theta,
        loss=float(value),
        gradient_norm=float(np.abs(gradient).max()),
        spectrum=spectrum,
        index=index,
        nullity=nullity,
        orbit_size=group.orbit_size(theta),
        outcome=Outcome.DEGENERATE if nullity else Outcome.CONVERGED,
    )


def _file(classes: list[StationaryPoint], point: StationaryPoint, group: SymmetryGroup) -> int:
    for number, other in enumerate(classes):
        if other.index == point.index and group.match(other.theta, point.theta) is not None:
            return number
    classes.append(point)
    return len(classes) - 1
