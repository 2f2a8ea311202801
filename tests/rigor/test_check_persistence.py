"""The checker of persistence accepts what is proved and no lie; its derivatives are those of mpmath."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb

from symland.datasets import make_data
from symland.landscape.database import Database
from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor import check_persistence as check_persistence_module
from symland.rigor import check_polynomials, check_series
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.check_persistence import check_persistence
from symland.rigor.krawczyk import newton_polish
from symland.rigor.persistence import Persistence, persistence_radius, persistence_schema
from symland.spec import LandscapeSpec, Loss, load_spec


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> list[Certificate]:
    path = tmp_path_factory.mktemp("persistence") / "xor.sqlite"
    shutil.copy(Path(__file__).parents[1] / "landscape" / "data" / "layout-1.sqlite", path)
    with Database.open(path) as held:
        landscape = held.landscape()
    return [certify(landscape.spec, point.theta.tolist()) for point in landscape.points]


def sealed(values: dict[str, Any]) -> str:
    body = {key: value for key, value in values.items() if key != "seal"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return json.dumps({**body, "seal": hashlib.sha256(text.encode()).hexdigest()})


@pytest.fixture(scope="module")
def proved(certificates: list[Certificate]) -> Persistence:
    found = persistence_radius(certificates[0])
    assert found is not None
    return found


def test_what_is_proved_is_accepted_and_fits_the_schema(certificates: list[Certificate], proved: Persistence) -> None:
    for found in (proved, persistence_radius(certificates[5])):
        assert found is not None
        assert check_persistence(found.to_json()).verdict is Verdict.CERTIFIED
        assert set(persistence_schema()["required"]) == set(json.loads(found.to_json()))


def test_one_input_moves_farther_than_all(certificates: list[Certificate], proved: Persistence) -> None:
    one = persistence_radius(certificates[0], [(0, 1)])
    assert one is not None
    assert float(one.radius) > 2 * float(proved.radius)
    assert check_persistence(one.to_json()).verdict is Verdict.CERTIFIED


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another index": lambda v: v.update(index=v["index"] + 1),
    "a larger ball": lambda v: v.update(radius="0.12"),
    "a smaller box": lambda v: v.update(box=["1e-30"] * len(v["box"])),
    "another loss": lambda v: v.update(loss=["0.1", "0.2"]),
    "labels that are wrong": lambda v: v.update(labels=True),
    "no branch": lambda v: v.update(branch=[]),
    "a branch that bends the other way": lambda v: v["branch"][0][1].reverse(),
    "a monomial twice": lambda v: v["branch"].append(v["branch"][0]),
    "a monomial of an input that does not move": lambda v: v["branch"].append([[99], v["branch"][0][1]]),
    "a basis without an inverse": lambda v: v.update(basis=[["0"] * len(row) for row in v["basis"]]),
    "an input twice": lambda v: v.update(moving=[[0, 0]] * len(v["moving"])),
    "another point": lambda v: v.update(midpoint=["0.5", *v["midpoint"][1:]]),
    "an unknown key": lambda v: v.update(more="1"),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_accepted(proved: Persistence, lie: str) -> None:
    values = json.loads(proved.to_json())
    LIES[lie](values)
    assert check_persistence(sealed(values)).verdict is not Verdict.CERTIFIED


def test_a_broken_seal_and_other_files_are_refused(proved: Persistence) -> None:
    assert check_persistence(proved.to_json().replace('"labels": false', '"labels": true')).verdict is Verdict.REFUTED
    assert check_persistence("[]").verdict is Verdict.REFUTED


def test_labels_that_stay_right_are_checked_again() -> None:
    # One sample: its label is right at the minimum.
    spec = load_spec("xor", hidden=(1,), penalty="1e-2")
    one = spec.with_(data=make_data("two", [["0", "0"], ["1", "1"]], [0, 1], True))
    theta = [0.9, 0.9, -1.2, 1.2, -0.9, 0.0, 0.0]
    with working_precision(128):
        balls = newton_polish(one, [arb(t) for t in theta], 60)
        assert balls is not None
        point = [float(b.mid()) for b in balls]
    certificate = certify(one, point)
    assert certificate.verdict is Verdict.CERTIFIED
    kept = persistence_radius(certificate, labels=True)
    assert kept is not None
    assert kept.labels
    assert check_persistence(kept.to_json()).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    ("activation", "hidden", "loss", "outputs"),
    [
        ("z/(1+exp(-z))", (1,), "softmax", 2),
        ("sin", (1,), "softmax", 3),
        ("0.5*z*(1+erf(z/sqrt(2)))", (1,), "squared", 1),
        ("tanh", (1, 1), "logistic", 1),
    ],
)
def test_any_activation_loss_and_depth_is_proved_and_read_again(
    activation: str, hidden: tuple[int, ...], loss: str, outputs: int
) -> None:
    inputs = [["0", "1"], ["1", "1/2"]]
    data = (
        make_data("small", inputs, [["1"], ["-1/3"]], False)
        if loss == "squared"
        else make_data("small", inputs, [0, 1], True)
    )
    spec = LandscapeSpec(
        name="small",
        hidden=hidden,
        data=data,
        activation=activation,
        loss=Loss(loss),
        outputs=outputs,
        penalty=Fraction(1, 10),
    )
    with working_precision(128):
        balls = newton_polish(spec, [arb(0.01 * (k + 1)) for k in range(spec.n_parameters)], 60)
        assert balls is not None
        point = [float(b.mid()) for b in balls]
    certificate = certify(spec, point)
    assert certificate.verdict is Verdict.CERTIFIED
    found = persistence_radius(certificate)
    assert found is not None
    assert float(found.radius) > 1e-3
    assert check_persistence(found.to_json()).verdict is Verdict.CERTIFIED


def test_many_inputs_move_together() -> None:
    # Sixty inputs: the polynomials are linear.
    draw = np.random.default_rng(2)
    inputs = [[str(Fraction(int(v), 8)) for v in row] for row in draw.integers(-8, 9, size=(30, 2))]
    labels = [int(Fraction(a) + Fraction(b) > 0) for a, b in inputs]
    spec = load_spec("xor", hidden=(1,), penalty="1e-1").with_(data=make_data("many", inputs, labels, True))
    with working_precision(128):
        balls = newton_polish(spec, [arb(t) for t in (0.5, 0.5, -0.6, 0.6, 0.0, 0.0, 0.0)], 60)
        assert balls is not None
        point = [float(b.mid()) for b in balls]
    found = persistence_radius(certify(spec, point))
    assert found is not None
    assert float(found.radius) > 1e-3
    assert len(found.branch) == len(found.moving) == 60
    assert check_persistence(found.to_json()).verdict is Verdict.CERTIFIED


def test_the_checker_imports_nothing_that_makes_certificates() -> None:
    known = {"symland.records", "symland.rigor.strict", "symland.rigor.check"}
    known |= {f"symland.rigor.check_{name}" for name in ("activation", "matrices", "polynomials", "series")}
    for module in (check_persistence_module, check_polynomials, check_series):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert {m for m in modules if m and m.startswith("symland")} <= known
