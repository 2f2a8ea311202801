"""Sensitivity to the data: derivatives against mpmath, and radii against random data and inputs inside and beyond."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from symland.analysis.answers import ask_into
from symland.analysis.sensitivity import QUESTION, Sensitivity, SensitivityOptions
from symland.landscape.database import Database

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
LABELS = (0, 1, 1, 0)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landscape of XOR with one hidden node."""
    path = tmp_path_factory.mktemp("sensitivity") / "xor.sqlite"
    shutil.copy(Path(__file__).parents[1] / "landscape" / "data" / "layout-1.sqlite", path)
    return path


@pytest.fixture(scope="module")
def answer(database: Path) -> Sensitivity:
    with Database.open(database) as held:
        return ask_into(held, QUESTION, options=SensitivityOptions(full=True))


def thetas(database: Path) -> list[np.ndarray]:
    with Database.open(database) as held:
        return [point.theta for point in held.landscape().points]


# -- the oracle: the loss of one tanh node written out, with derivatives by mpmath alone ------------------------------


def mp_loss(t, x):  # type: ignore[no-untyped-def]
    total = mp.mpf(0)
    for (a, b), label in zip(x, LABELS, strict=True):
        h = mp.tanh(t[0] * a + t[1] * b + t[4])
        z = (t[2] * h + t[5], t[3] * h + t[6])
        total += mp.log1p(mp.exp(z[1 - label] - z[label]))
    return total / 4 + sum(v * v for v in t) / 100


def mp_gradient(t, x):  # type: ignore[no-untyped-def]
    g = [v / 50 for v in t]
    for (a, b), label in zip(x, LABELS, strict=True):
        h = mp.tanh(t[0] * a + t[1] * b + t[4])
        m = (t[2] - t[3]) * h + t[5] - t[6]
        r = (1 / (1 + mp.exp(-m)) - (1 - label)) / 4
        s = r * (t[2] - t[3]) * (1 - h * h)
        for k, v in enumerate((s * a, s * b, r * h, -r * h, s, r, -r)):
            g[k] += v
    return g


def mp_solve(t, x):  # type: ignore[no-untyped-def]
    """Newton's method with a difference Hessian; converges linearly fast, which is enough."""
    t = [mp.mpf(v) for v in t]
    n, step = len(t), mp.mpf(10) ** -25
    for _ in range(12):
        g = mp_gradient(t, x)
        columns = []
        for j in range(n):
            up, down = list(t), list(t)
            up[j] += step
            down[j] -= step
            columns.append(
                [(a - b) / (2 * step) for a, b in zip(mp_gradient(up, x), mp_gradient(down, x), strict=True)]
            )
        move = mp.lu_solve(mp.matrix(columns).T, mp.matrix(g))
        t = [a - b for a, b in zip(t, move, strict=True)]
        if max(abs(v) for v in move) < mp.mpf(10) ** -40:
            break
    return t


def test_derivatives_are_differences_of_points_solved_again(answer: Sensitivity, database: Path) -> None:
    with mp.workdps(50):
        h = mp.mpf(10) ** -13
        for c, theta in list(zip(answer.classes, thetas(database), strict=True))[::2]:
            for d, k in ((0, 0), (3, 1)):
                ends = []
                for sign in (-1, 1):
                    x = [list(map(mp.mpf, row)) for row in CORNERS]
                    x[d][k] += sign * h
                    t = mp_solve(theta, x)
                    ends.append((mp_loss(t, x), t))
                slope = (ends[1][0] - ends[0][0]) / (2 * h)
                move = [(b - a) / (2 * h) for a, b in zip(ends[0][1], ends[1][1], strict=True)]
                assert abs(slope - c.dE_dx[d][k]) < 1e-12
                proved = c.dE_dx_proved[d][k]
                room = mp.mpf(10) ** -22
                assert mp.mpf(proved.lower) - room <= slope <= mp.mpf(proved.upper) + room
                assert max(abs(a - b) for a, b in zip(move, c.dtheta_dx[2 * d + k], strict=True)) < 1e-12
                assert abs(mp.norm(mp.matrix(move)) - c.dtheta_dx_norm[d][k]) < 1e-12
                middle = mp_loss(mp_solve(theta, CORNERS), [list(map(mp.mpf, row)) for row in CORNERS])
                curvature = (ends[1][0] - 2 * middle + ends[0][0]) / h**2
                assert abs(curvature - c.d2E_dx2[2 * d + k][2 * d + k]) < 1e-12


# -- NumPy Newton over many data sets, written from the definition --------------------------------------------------


def np_derivatives(t, x):  # type: ignore[no-untyped-def]
    """Gradient (n, 7) and Hessian (n, 7, 7) at t (n, 7) for data x (n, 4, 2)."""
    n = len(t)
    g, hess = 0.02 * t, np.tile(0.02 * np.eye(7), (n, 1, 1))
    for d, label in enumerate(LABELS):
        a, b = x[:, d, 0], x[:, d, 1]
        h = np.tanh(t[:, 0] * a + t[:, 1] * b + t[:, 4])
        p, q = 1 - h * h, -2 * h * (1 - h * h)
        v = t[:, 2] - t[:, 3]
        m = v * h + t[:, 5] - t[:, 6]
        s = 1 / (1 + np.exp(-m))
        r, c = s - (1 - label), s * (1 - s)
        ones, zero = np.ones(n), np.zeros(n)
        ds = np.stack([a, b, zero, zero, ones, zero, zero], axis=1)
        dm = v[:, None] * p[:, None] * ds + np.stack([zero, zero, h, -h, zero, ones, -ones], axis=1)
        dv = np.stack([zero, zero, ones, -ones, zero, zero, zero], axis=1)
        cross = np.einsum("ni,nj->nij", dv, p[:, None] * ds)
        d2m = (v * q)[:, None, None] * np.einsum("ni,nj->nij", ds, ds) + cross + cross.transpose(0, 2, 1)
        g = g + r[:, None] * dm / 4
        hess = hess + (c[:, None, None] * np.einsum("ni,nj->nij", dm, dm) + r[:, None, None] * d2m) / 4
    return g, hess


def np_solve(theta, x):  # type: ignore[no-untyped-def]
    t = np.repeat(theta[None], len(x), axis=0)
    for _ in range(8):
        g, hess = np_derivatives(t, x)
        t = t - np.linalg.solve(hess, g[..., None])[..., 0]
    return t, *np_derivatives(t, x)


def test_classes_persist_for_random_data_inside_the_radius(answer: Sensitivity, database: Path) -> None:
    draw = np.random.default_rng(1)
    for c, theta in zip(answer.classes, thetas(database), strict=True):
        assert c.persistence_radius is not None
        signs = draw.choice([-1.0, 1.0], size=(1000, 4, 2))
        shape = np.where(draw.random((1000, 1, 1)) < 0.5, signs, draw.uniform(-1, 1, size=(1000, 4, 2)))
        t, g, hess = np_solve(theta, np.array(CORNERS) + c.persistence_radius * shape)
        assert np.abs(g).max() < 1e-10
        assert np.abs(t - theta).max() < 1.0
        assert (np.sum(np.linalg.eigvalsh(hess) < 0, axis=1) == c.index).all()
        assert c.persistence_loss is not None
        assert float(c.persistence_loss.lower) <= c.loss <= float(c.persistence_loss.upper)


def test_a_class_is_singular_where_it_is_said_to_be_lost_and_not_before(answer: Sensitivity, database: Path) -> None:
    for c, t in zip(answer.classes, thetas(database), strict=True):
        assert c.persistence_radius is not None
        assert c.persistence_lost is not None
        assert c.persistence_radius < c.persistence_lost < 5 * c.persistence_radius
        along, least = np.array(c.persistence_lost_along), []
        # Small steps along the line, each solved from the point before.
        for share in (*np.linspace(0, 0.98, 50), *np.linspace(0.98, 0.999, 20)):
            solved, _, hess = np_solve(t, np.array(CORNERS) + share * c.persistence_lost * along[None])
            t, values = solved[0], np.linalg.eigvalsh(hess[0])
            assert np.sum(values < 0) == c.index
            least.append(np.abs(values).min())
        # Linear in what remains where an eigenvalue crosses, and its square root at a fold.
        assert least[-1] < 0.12 * least[0]


def test_five_percent_outside_its_radius_the_origin_changes_its_index(answer: Sensitivity) -> None:
    # The origin is stationary for all data of XOR's labels; its least eigenvalue is 2 lambda - |shift| there.
    origin = min(answer.classes, key=lambda c: abs(c.loss - math.log(2)))
    assert origin.persistence_radius is not None
    assert origin.persistence_radius < 0.02 < 1.05 * origin.persistence_radius
    along = np.array([[-1.0 if label == 0 else 1.0] * 2 for label in LABELS])
    for factor, index in ((1.0, 0), (1.05, 1)):
        x = np.array(CORNERS)[None] + factor * origin.persistence_radius * along
        g, hess = np_derivatives(np.zeros((1, 7)), x)
        assert np.abs(g).max() < 1e-15
        assert np.sum(np.linalg.eigvalsh(hess[0]) < 0) == index


def margins(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    h = np.tanh(x @ theta[:2] + theta[4])
    return (theta[3] - theta[2]) * h + theta[6] - theta[5]


def test_labels_stay_inside_robust_balls_and_change_just_outside(answer: Sensitivity, database: Path) -> None:
    draw = np.random.default_rng(2)
    for c, theta in zip(answer.classes, thetas(database), strict=True):
        for d, corner in enumerate(CORNERS):
            for norm, radii, uppers in (
                (np.inf, c.robust_radius_max, c.robust_upper_max),
                (2, c.robust_radius_euclidean, c.robust_upper_euclidean),
            ):
                radius, upper = radii[d], uppers[d]
                if not radius:
                    continue
                assert upper is not None
                assert radius <= upper <= radius * 1.0011
                y = draw.normal(size=(3000, 2))
                if norm == np.inf:
                    y[:1500] = draw.choice([-1.0, 1.0], size=(1500, 2))
                y = y / np.linalg.norm(y, ord=norm, axis=1)[:, None]
                label = margins(theta, np.array([corner], dtype=float))[0] > 0
                inside = margins(theta, np.array(corner) + radius * draw.random((3000, 1)) ** 0.3 * y) > 0
                assert (inside == label).all()
                angle = np.linspace(0, 2 * np.pi, 4001)[:, None]
                ring = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
                ring = ring / np.linalg.norm(ring, ord=norm, axis=1)[:, None]
                assert ((margins(theta, np.array(corner) + 1.05 * upper * ring) > 0) != label).any()


def test_a_tie_has_no_right_label_and_no_ball(answer: Sensitivity) -> None:
    origin = min(answer.classes, key=lambda c: abs(c.loss - math.log(2)))
    assert origin.misclassified == (0, 1, 2, 3)
    assert origin.robust_radius_max == (0.0, 0.0, 0.0, 0.0)
    assert origin.labels_radius == 0.0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from symland.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_the_document_has_the_keys_of_the_manual(answer: Sensitivity) -> None:
    first = json.loads(json.dumps(QUESTION.document(answer)))["classes"][0]
    named = (
        "class loss dE_dx dtheta_dx_norm persistence_radius labels_radius margins misclassified robust_radius_max "
        "robust_radius_euclidean persistence_lost"
    )
    assert set(named.split()) <= set(first)
    assert np.shape(first["dE_dx"]) == np.shape(first["dtheta_dx_norm"]) == (4, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--inputs", "4.0"), "samples 0 to 3"),
        (("--tolerance", "2"), "tolerance"),
    ],
)
def test_bad_input_gets_one_line(database: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run("sensitivity", "--db", str(database), *arguments)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("symland:")]
    assert len(lines) == 1
    assert words in lines[0]
