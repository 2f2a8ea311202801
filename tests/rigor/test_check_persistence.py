"""The checker of persistence accepts what is proved and no lie; its derivatives are those of mpmath."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
import pytest
from flint import arb

from symland.landscape.database import Database
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.check_persistence import _third_order, check_persistence
from symland.rigor.persistence import persistence_radius, persistence_schema
from symland.spec import load_spec


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


def test_what_is_proved_is_accepted_and_fits_the_schema(certificates: list[Certificate]) -> None:
    for certificate in certificates[::3]:
        found = persistence_radius(certificate)
        assert found is not None
        assert check_persistence(found.to_json()).verdict is Verdict.CERTIFIED
        assert set(persistence_schema()["required"]) == set(json.loads(found.to_json()))


def test_one_input_moves_farther_than_all(certificates: list[Certificate]) -> None:
    every, one = persistence_radius(certificates[0]), persistence_radius(certificates[0], [(0, 1)])
    assert every is not None
    assert one is not None
    assert float(one.radius) > 2 * float(every.radius)
    assert check_persistence(one.to_json()).verdict is Verdict.CERTIFIED


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another index": lambda v: v.update(index=v["index"] + 1),
    "a larger ball": lambda v: v.update(radius="0.02"),
    "a smaller box": lambda v: v.update(box=["1e-30"] * len(v["box"])),
    "another loss": lambda v: v.update(loss=["0.1", "0.2"]),
    "labels that are wrong": lambda v: v.update(labels=True),
    "no slopes": lambda v: v.update(slopes=[["0"] * len(row) for row in v["slopes"]]),
    "a basis without an inverse": lambda v: v.update(basis=[["0"] * len(row) for row in v["basis"]]),
    "an input twice": lambda v: v.update(moving=[[0, 0]] * len(v["moving"])),
    "another point": lambda v: v.update(midpoint=["0.5", *v["midpoint"][1:]]),
    "an unknown key": lambda v: v.update(more="1"),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_accepted(certificates: list[Certificate], lie: str) -> None:
    found = persistence_radius(certificates[0])
    assert found is not None
    values = json.loads(found.to_json())
    LIES[lie](values)
    assert check_persistence(sealed(values)).verdict is not Verdict.CERTIFIED


def test_a_broken_seal_and_other_files_are_refused(certificates: list[Certificate]) -> None:
    found = persistence_radius(certificates[2])
    assert found is not None
    assert check_persistence(found.to_json().replace('"labels": false', '"labels": true')).verdict is Verdict.REFUTED
    assert check_persistence("[]").verdict is Verdict.REFUTED


def test_labels_that_stay_right_are_checked_again() -> None:
    # One sample: its label is right at the minimum.
    spec = load_spec("xor", hidden=(1,), penalty="1e-2")
    from symland.datasets import make_data

    one = spec.with_(data=make_data("two", [["0", "0"], ["1", "1"]], [0, 1], True))
    theta = [0.9, 0.9, -1.2, 1.2, -0.9, 0.0, 0.0]
    from symland.program.balls import working_precision
    from symland.rigor.krawczyk import newton_polish

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
    ("name", "function"),
    [
        ("tanh", mp.tanh),
        ("sigmoid", lambda x: 1 / (1 + mp.exp(-x))),
        ("softplus", lambda x: mp.log(1 + mp.exp(x))),
        ("sin", mp.sin),
        ("erf", mp.erf),
    ],
)
def test_third_derivatives_of_activations(name: str, function: Callable[[Any], Any]) -> None:
    sigma = _third_order(name)
    with mp.workdps(40):
        for x in (-1.3, 0.2, 2.1):
            wide = sigma(arb(x, 0.3))
            for order, (point, ball) in enumerate(zip(sigma(arb(x)), wide, strict=True)):
                for y in (x - 0.29, x, x + 0.29):
                    wanted = mp.diff(function, mp.mpf(y), order)
                    assert float(ball.lower()) - 1e-9 <= wanted <= float(ball.upper()) + 1e-9
                    if y == x:
                        assert abs(float(point.mid()) - wanted) < 1e-10
