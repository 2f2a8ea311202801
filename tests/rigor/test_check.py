"""The separate checker accepts what is true and refuses planted lies and hostile files."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_mat, ctx, fmpq
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import symland.rigor.check
import symland.rigor.check_activation
import symland.rigor.check_matrices
import symland.rigor.check_slices
from symland.datasets import Dataset
from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor.certificate import Certificate, certificate_schema
from symland.rigor.certify import certify
from symland.rigor.check import (
    CheckResult,
    _inside,
    _krawczyk,
    _rational,
    check_certificate,
)
from symland.rigor.check import _decimal as read_decimal
from symland.rigor.check_activation import Refusal
from symland.rigor.check_matrices import _gershgorin, approximate_inverse, eigenvalue_discs
from symland.rigor.decimals import parse_decimal
from symland.rigor.krawczyk import contraction, cube, hessian_over, preconditioned_midpoint
from symland.rigor.refine import refine
from symland.spec import LandscapeSpec, Loss
from tests.rigor.certificates import certificates, redigested, sealed
from tests.rigor.points import newton_points, xor, xor_points
from tests.strategies import specs

LIES = 3_000


def test_true_certificates_are_accepted_and_the_reader_agrees_with_the_writer() -> None:
    for values in certificates():
        assert check_certificate(values).verdict is Verdict.CERTIFIED
        again = Certificate.from_dict(values)
        assert again.to_dict() == values
        assert check_certificate(again.to_json(), again.spec.canonical()).verdict is Verdict.CERTIFIED
        assert check_certificate(again.to_json().encode()).verdict is Verdict.CERTIFIED


def test_a_certificate_of_another_question_is_refused() -> None:
    other = xor(3, "1e-3").canonical()
    assert check_certificate(certificates()[0], other).verdict is Verdict.REFUTED


# Lies whose digests fit: each makes the certificate false, so that only mathematics can refuse it.


def moved_box(v: dict[str, Any], draw: Random) -> None:
    k = draw.randrange(len(v["midpoint"]))
    by = Fraction(v["inclusion_radius"]) * draw.choice((3, 10, 10**6)) * draw.choice((1, -1))
    v["midpoint"][k] = _decimal(Fraction(v["midpoint"][k]) + by)


def small_box(v: dict[str, Any], draw: Random) -> None:
    v["inclusion_radius"] = _decimal(Fraction(v["inclusion_radius"]) / draw.choice((2, 10, 10**9)))


def large_box(v: dict[str, Any], draw: Random) -> None:
    v["uniqueness_radius"] = draw.choice(("2", "10", "1e3", "5e5"))


def wrong_index(v: dict[str, Any], draw: Random) -> None:
    held = v["claims"]["index"]["value"]
    v["claims"]["index"]["value"] = draw.choice([k for k in range(len(v["midpoint"]) + 1) if k != held])


def other_penalty(v: dict[str, Any], draw: Random) -> None:
    v["spec"]["penalty"] = draw.choice(("1/101", "1/99", "1/7", "1/1001", "100001/100000000"))


def other_data(v: dict[str, Any], draw: Random) -> None:
    draw.choice(v["spec"]["inputs"])[draw.randrange(2)] = draw.choice(("2", "1/2", "100001/100000"))


def other_activation(v: dict[str, Any], draw: Random) -> None:
    v["spec"]["activation"] = draw.choice(("sin", "sigmoid", "erf", "softplus"))


def other_label(v: dict[str, Any], draw: Random) -> None:
    k = draw.randrange(4)
    v["spec"]["targets"][k] = 1 - v["spec"]["targets"][k]


def low_loss(v: dict[str, Any], draw: Random) -> None:
    low, high = map(Fraction, v["claims"]["loss"])
    by = draw.choice((1, -1)) * max(2 * (high - low), Fraction(1, 10 ** draw.choice((3, 9, 15))))
    v["claims"]["loss"] = [_decimal(low + by), _decimal(high + by)]


def truncated_loss(v: dict[str, Any], draw: Random) -> None:
    cut = v["claims"]["loss"][0][: -draw.randrange(3, 10)]
    v["claims"]["loss"] = [cut, cut]


def wrong_eigenvalue(v: dict[str, Any], draw: Random) -> None:
    pair = draw.choice(v["claims"]["eigenvalues"])
    low, high = map(Fraction, pair)
    by = draw.choice((1, -1)) * max(2 * (high - low), Fraction(1, 10**9))
    pair[:] = [_decimal(low + by), _decimal(high + by)]


def swapped_eigenvalues(v: dict[str, Any], draw: Random) -> None:
    bounds = v["claims"]["eigenvalues"]
    bounds[0], bounds[-1] = bounds[-1], bounds[0]


def swapped_bounds(v: dict[str, Any], draw: Random) -> None:
    v["claims"]["loss"].reverse()


def swapped_radii(v: dict[str, Any], draw: Random) -> None:
    v["inclusion_radius"], v["uniqueness_radius"] = v["uniqueness_radius"], v["inclusion_radius"]


def another_midpoint(v: dict[str, Any], draw: Random) -> None:
    same = [c for c in certificates() if len(c["midpoint"]) == len(v["midpoint"])]
    other = draw.choice([c for c in same if abs(float(c["claims"]["loss"][0]) - float(v["claims"]["loss"][0])) > 1e-6])
    v["midpoint"] = list(other["midpoint"])


FALSE = (
    moved_box,
    small_box,
    large_box,
    wrong_index,
    other_penalty,
    other_data,
    other_activation,
    other_label,
    low_loss,
    truncated_loss,
    wrong_eigenvalue,
    swapped_eigenvalues,
    swapped_bounds,
    swapped_radii,
    another_midpoint,
)


def _decimal(value: Fraction) -> str:
    """Exact text of a fraction whose denominator divides a power of ten."""
    places = 0
    while value.denominator != 1 and places < 2000:
        value, places = value * 10, places + 1
    return f"{value.numerator}e-{places}" if places else str(value.numerator)


# Malformed certificates, with digests that fit.


def nan(v: dict[str, Any], draw: Random) -> None:
    _plant(v, draw, draw.choice(("NaN", "nan", "inf", "-Infinity", "", "0x10", "1e", "１", "1_0", "--1", "1/3")))


def huge_exponent(v: dict[str, Any], draw: Random) -> None:
    _plant(v, draw, draw.choice(("1e999999999999", "1e-999999999", "1e999999", "1e-300000", "9" * 60_000)))


def not_text(v: dict[str, Any], draw: Random) -> None:
    _plant(v, draw, draw.choice((None, True, 3, [], {}, ["0.1"])))


def _plant(v: dict[str, Any], draw: Random, what: Any) -> None:
    spot = draw.randrange(4)
    if spot == 0:
        v["midpoint"][draw.randrange(len(v["midpoint"]))] = what
    elif spot == 1:
        v[draw.choice(("inclusion_radius", "uniqueness_radius"))] = what
    elif spot == 2:
        v["claims"]["loss"][draw.randrange(2)] = what
    else:
        draw.choice(v["claims"]["eigenvalues"])[draw.randrange(2)] = what


def missing_key(v: dict[str, Any], draw: Random) -> None:
    where = draw.choice((v, v["claims"], v["claims"]["index"], v["spec"]))
    del where[draw.choice([k for k in where if k not in ("seal", "spec", "spec_digest")])]


def extra_key(v: dict[str, Any], draw: Random) -> None:
    draw.choice((v, v["claims"], v["claims"]["index"], v["spec"]))["note"] = "trust me"


def strange_spec(v: dict[str, Any], draw: Random) -> None:
    key, value = draw.choice(
        (
            ("hidden", []),
            ("hidden", [10**9]),
            ("hidden", [True]),
            ("hidden", "2"),
            ("activation", "__import__('os')"),
            ("activation", "relu"),
            ("activation", "(" * 200 + "z" + ")" * 200),
            ("activation", "z**z"),
            ("activation", 7),
            ("bias", 1),
            ("outputs", 1),
            ("outputs", 0),
            ("loss", "logistic"),
            ("loss", "zero"),
            ("penalty", "0.01"),
            ("penalty", "2/200"),
            ("penalty", "-1/100"),
            ("penalty", "1/0"),
            ("penalised", "none"),
            ("inputs", []),
            ("inputs", [["0"]]),
            ("inputs", ["00", "01", "10", "11"]),
            ("hidden", "1"),
            ("targets", [0, 1, 1]),
            ("targets", [0, 1, 1, 2]),
            ("targets", [0, 1, 1, True]),
        )
    )
    v["spec"][key] = value


def strange_head(v: dict[str, Any], draw: Random) -> None:
    key, value = draw.choice(
        (("format", "symland-certificate/2"), ("operator", "trust"), ("precision_bits", 0), ("reason", None))
    )
    v[key] = value


MALFORMED = (nan, huge_exponent, not_text, missing_key, extra_key, strange_spec, strange_head)


def test_thousands_of_planted_lies_are_refused() -> None:
    draw, refused = Random(1), Counter[str]()
    for number in range(LIES):
        true = certificates()[draw.randrange(len(certificates()))]
        # One in ten needs a Krawczyk step to be refused; the other lies do not even carry fitting digests.
        lie = draw.choice(FALSE) if number % 10 == 0 else draw.choice(FALSE + MALFORMED)
        values = deepcopy(true)
        lie(values, draw)
        if number % 10 == 0:
            values = redigested(values)
        elif lie in MALFORMED and number % 2:
            values = redigested(values) if "spec" in values else sealed(values)
        result = check_certificate(values)
        assert result.verdict is not Verdict.CERTIFIED, (lie.__name__, result)
        assert isinstance(result.reason, str)
        refused[lie.__name__] += 1
    assert len(refused) == len(FALSE) + len(MALFORMED)


def test_any_changed_character_is_refused() -> None:
    text, draw = Certificate.from_dict(certificates()[0]).to_json(), Random(2)
    for _ in range(300):
        k = draw.randrange(len(text))
        changed = text[:k] + draw.choice('0123456789-.e"{}[]ax ') + text[k + 1 :]
        if json_equal(text, changed):
            continue
        assert check_certificate(changed).verdict is not Verdict.CERTIFIED


def json_equal(a: str, b: str) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


def test_rows_of_numbers_must_be_lists() -> None:
    # A text is a sequence of digits too: "01" would read as the row 0, 1.
    for loss, change in (
        (Loss.SOFTMAX, {"inputs": ["00", "01", "10", "11"]}),
        (Loss.SQUARED, {"targets": ["0", "1", "1", "0"]}),
    ):
        spec = xor(1, "1e-2")
        if loss is Loss.SQUARED:
            values = tuple((Fraction(t),) for t in (0, 1, 1, 0))
            data = Dataset(name="numbers", inputs=spec.data.inputs, values=values)
            spec = LandscapeSpec(name="squared", hidden=(1,), loss=loss, penalty=Fraction(1, 100), data=data, outputs=1)
        starts = np.random.default_rng(0).normal(size=(6, spec.n_parameters))
        values = certify(spec, [float(t) for t in newton_points(spec, starts)[0]]).to_dict()
        assert check_certificate(values).verdict is Verdict.CERTIFIED
        values["spec"] = {**values["spec"], **change}
        result = check_certificate(redigested(values))
        assert (result.verdict, "malformed" in result.reason) == (Verdict.REFUTED, True)


def test_keys_and_outputs_that_do_not_belong_are_named() -> None:
    for place, name in ((("claims",), "the claims"), (("claims", "index"), "an index"), (("spec",), "a specification")):
        values = deepcopy(certificates()[0])
        at: Any = values
        for key in place:
            at = at[key]
        at["more"] = 1
        assert check_certificate(redigested(values)).reason == f"the keys are not those of {name}"
    values = deepcopy(certificates()[0])
    values["spec"]["outputs"] = 1
    assert "does not go with" in check_certificate(redigested(values)).reason


def test_an_eigenvalue_whose_sign_is_open_decides_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    true = next(c for c in certificates() if c["claims"]["index"]["value"] == 0)
    bounds = [["-2", "2"], *true["claims"]["eigenvalues"][1:]]
    values = sealed({**true, "claims": {**true["claims"], "eigenvalues": bounds}})
    assert check_certificate(values).verdict is Verdict.CERTIFIED
    for ball in (arb(0, 0.5), arb(0), arb(0.5, 0.5), arb(-0.5, 0.5), arb("nan")):
        found = [ball, *(arb(t, 1e-30) for t, _ in bounds[1:])]
        monkeypatch.setattr("symland.rigor.check.eigenvalue_discs", lambda matrix, enough, found=found: found)
        result = check_certificate(values)
        assert (result.verdict, result.reason) == (Verdict.UNDECIDED, "the sign of an eigenvalue is open")


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, MemoryError])
def test_what_ends_a_check_and_says_nothing_of_the_file_leaves_it_undecided(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fails(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(np.linalg, "eigh", fails)
    assert check_certificate(certificates()[0]).verdict is Verdict.UNDECIDED


def test_numbers_are_text_and_cubes_may_be_equal() -> None:
    true = certificates()[0]
    for wrong in ("0.5", "1e3", "NaN", "-Infinity"):
        text = json.dumps(true).replace(json.dumps(true["midpoint"]), f"[{wrong}]")
        assert "a number must be text or an integer" in check_certificate(text).reason
        assert check_certificate(text.encode()) == check_certificate(text)
    same = sealed({**true, "uniqueness_radius": true["inclusion_radius"]})
    assert check_certificate(same).verdict is Verdict.CERTIFIED
    less = sealed({**true, "uniqueness_radius": "1e-60"})
    assert check_certificate(less) == CheckResult(verdict=Verdict.REFUTED, reason="the radii are not in order")
    assert check_certificate(json.dumps(true), {**true["spec"], "bias": False}).reason == (
        "it is about another specification"
    )


def test_a_network_is_read_up_to_the_limit_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    # 7 parameters, 4 samples, 2 + 1 + 2 nodes.
    for work, verdict in ((980, Verdict.CERTIFIED), (979, Verdict.UNDECIDED)):
        monkeypatch.setattr("symland.rigor.check.LARGEST_WORK", work)
        assert check_certificate(certificates()[0]).verdict is verdict


def test_the_digits_of_a_certificate_ask_for_their_precision_whatever_bits_it_names() -> None:
    long = certify(xor(1, "1e-2"), refine(xor(1, "1e-2"), xor_points(1, "1e-2")[0], 400)).to_dict()
    tiny = certify(xor(1, "1e-100"), [0.0] * 7).to_dict()
    assert "e-" in tiny["inclusion_radius"]
    for values in (long, tiny):
        for bits in (53, values["precision_bits"], 10**7):
            assert check_certificate(sealed({**values, "precision_bits": bits})).verdict is Verdict.CERTIFIED


def test_the_checker_tells_what_is_false_from_what_it_cannot_prove() -> None:
    def said(**changes: Any) -> CheckResult:
        values = deepcopy(certificates()[0])
        for path, value in changes.items():
            *path_keys, last = path.split("__")
            at: Any = values
            for key in path_keys:
                at = at[key]
            at[last] = value
        return check_certificate(redigested(values))

    true = certificates()[0]
    claims, low = true["claims"], Fraction(true["claims"]["loss"][0])
    for shift in (Fraction(1, 1000), Fraction(-1, 1000)):
        moved = [_decimal(low + shift)] * 2
        result = said(claims__loss=moved)
        assert (result.verdict, "the loss lies outside" in result.reason) == (Verdict.REFUTED, True)
        eigenvalue = [_decimal(Fraction(claims["eigenvalues"][0][0]) + shift)] * 2
        result = said(claims__eigenvalues=[eigenvalue, *claims["eigenvalues"][1:]])
        assert (result.verdict, "an eigenvalue lies outside" in result.reason) == (Verdict.REFUTED, True)
    index = claims["index"]["value"] + 1
    for changes, verdict, reason in (
        ({"claims__index__value": index}, Verdict.REFUTED, "the index is another"),
        ({"claims__index__value": 8}, Verdict.REFUTED, "out of range"),
        ({"claims__existence": "undecided"}, Verdict.UNDECIDED, "does not claim"),
        ({"claims__existence": "maybe"}, Verdict.REFUTED, "unknown verdict"),
        (
            {"claims__existence": "refuted", "claims__uniqueness": "undecided"},
            Verdict.UNDECIDED,
            "does not claim",
        ),
        ({"spec__activation": "z**-65"}, Verdict.REFUTED, "exponent"),
        ({"spec__activation": "z**65"}, Verdict.REFUTED, "exponent"),
        ({"spec__activation": "tan(z)"}, Verdict.REFUTED, "not allowed"),
        ({"claims__index__verdict": "refuted"}, Verdict.UNDECIDED, "does not claim"),
        ({"midpoint": [*true["midpoint"], "0"]}, Verdict.REFUTED, "P long"),
        ({"midpoint": true["midpoint"][:-1]}, Verdict.REFUTED, "P long"),
        ({"claims__eigenvalues": claims["eigenvalues"][:-1]}, Verdict.REFUTED, "P long"),
        ({"claims__eigenvalues": [["0"]] * 7}, Verdict.REFUTED, "not a pair"),
        ({"claims__loss": ["0"]}, Verdict.REFUTED, "not a pair"),
        ({"inclusion_radius": "0"}, Verdict.REFUTED, "not in order"),
        ({"inclusion_radius": "-1e-30"}, Verdict.REFUTED, "not in order"),
        ({"inclusion_radius": "1e-60"}, Verdict.REFUTED, "in the inclusion cube"),
        ({"uniqueness_radius": "30"}, Verdict.UNDECIDED, "fails on the uniqueness cube"),
        ({"spec__activation": "log(z)"}, Verdict.REFUTED, "logarithm or root"),
        ({"spec__hidden": [4000]}, Verdict.UNDECIDED, "too large"),
        ({"spec__penalty": "-1/100"}, Verdict.REFUTED, "penalty"),
        ({"spec__penalised": "none"}, Verdict.REFUTED, "penalised"),
        ({"spec__loss": "hinge"}, Verdict.REFUTED, "loss"),
        ({"spec__targets": [0, 1, 1]}, Verdict.REFUTED, "number"),
        ({"spec__targets": [0, 1, 1, 2]}, Verdict.REFUTED, "label"),
        ({"spec__targets": [0, 1, 1, -1]}, Verdict.REFUTED, "label"),
        ({"spec__hidden": [0]}, Verdict.REFUTED, "width"),
        ({"spec__hidden": []}, Verdict.REFUTED, "width"),
        ({"spec__hidden": [4097]}, Verdict.REFUTED, "width"),
        ({"precision_bits": 2}, Verdict.REFUTED, "remarks"),
        ({"precision_bits": 52}, Verdict.REFUTED, "remarks"),
        ({"reason": 1001 * "a"}, Verdict.REFUTED, "remarks"),
        ({"precision_bits": 10**7 + 1}, Verdict.REFUTED, "remarks"),
        ({"precision_bits": "128"}, Verdict.REFUTED, "remarks"),
        ({"reason": None}, Verdict.REFUTED, "remarks"),
        ({"format": "symland-certificate/0"}, Verdict.REFUTED, "format"),
        ({"operator": "newton"}, Verdict.REFUTED, "format"),
    ):
        result = said(**changes)
        assert (result.verdict, reason in result.reason) == (verdict, True), (changes, result)
    assert said() == CheckResult(
        verdict=Verdict.CERTIFIED, reason="existence, uniqueness, index, loss and eigenvalues hold"
    )


def test_a_ball_that_is_partly_within_its_bounds_is_undecided() -> None:
    for middle, verdict in (
        (1, None),
        ("0.4", Verdict.UNDECIDED),
        ("1.6", Verdict.UNDECIDED),
        ("nan", Verdict.UNDECIDED),
    ):
        ball = arb(middle, 0.5)
        if verdict is None:
            _inside(ball, arb(0.25), arb(1.75), "it")
            continue
        with pytest.raises(Refusal) as refusal:
            _inside(ball, arb(0.25), arb(1.75), "it")
        assert refusal.value.args[1] is verdict
    for middle in (-1, 3):
        with pytest.raises(Refusal) as refusal:
            _inside(arb(middle, 0.5), arb(0.25), arb(1.75), "it")
        assert refusal.value.args[1] is Verdict.REFUTED


def test_the_checkers_eigenvalues_hold_prescribed_ones() -> None:
    with working_precision(200):
        for spectrum in ([3], [1, 2], [-1, -1, 2], [5, 5, 5, 5], [0, 1, 1], [-7, 2, 2, 3, 3]):
            size = len(spectrum)
            v = [arb(k + 1) for k in range(size)]
            norm = sum((x * x for x in v), arb(0))
            turn = arb_mat(size, size, [(i == j) - 2 * v[i] * v[j] / norm for i in range(size) for j in range(size)])
            middle = arb_mat(size, size, [spectrum[i] * (i == j) for i in range(size) for j in range(size)])
            for width in (0.0, 1e-9):
                matrix = turn * middle * turn
                wide = arb_mat(size, size, [x + arb(0, width) for x in matrix.entries()])
                found = eigenvalue_discs(wide)
                assert len(found) == size
                for ball, value in zip(found, spectrum, strict=True):
                    assert ball.contains(value)
                    assert ball.rad() < 1e-6


def test_equal_eigenvalues_are_parted_by_what_is_unknown_off_the_diagonal() -> None:
    with working_precision(200):
        unknown = arb(0, 1e-9)
        for ball in eigenvalue_discs(arb_mat([[1, unknown], [unknown, 1]])):
            assert ball.contains(1 + arb(1e-9))
            assert ball.contains(1 - arb(1e-9))
            assert ball.rad() < 1e-8


def test_numbers_with_many_digits_are_read_up_to_the_limit() -> None:
    assert check_certificate(padded(certificates()[0], 2_000)).verdict is Verdict.CERTIFIED
    result = check_certificate(padded(certificates()[0], 26_000))
    assert (result.verdict, result.reason) == (Verdict.REFUTED, "not a decimal")
    wide = deepcopy(certificates()[0])
    wide["uniqueness_radius"] = "1e-26000"
    assert "too many digits" in check_certificate(sealed(wide)).reason
    # The limits themselves are allowed.
    assert read_decimal("1e-25000") == fmpq(10) ** -25000
    assert read_decimal("1." + 24_998 * "0") == 1
    for text in ("1e-25001", "1." + 24_999 * "0"):
        with pytest.raises(Refusal):
            read_decimal(text)


def padded(values: dict[str, Any], zeros: int) -> dict[str, Any]:
    """The same certificate, with zeros behind a number."""
    out = deepcopy(values)
    out["midpoint"][0] += "0" * zeros
    return sealed(out)


def test_an_exact_number_is_a_fraction_in_lowest_terms() -> None:
    for text, value in (("0", Fraction(0)), ("-7/3", Fraction(-7, 3)), ("9" * 4000, Fraction(10**4000 - 1))):
        assert _rational(text) == value
    longest = f"1{2499 * '0'}/{2499 * '9'}"
    assert str(_rational(longest)) == longest
    for wrong in (longest + "9", 5, 0.5, None, "1.5", "1e3", " 1", "--1", "1/0"):
        with pytest.raises(Refusal, match="not an exact number"):
            _rational(wrong)
    for wrong in ("2/4", "3/1", "-0"):
        with pytest.raises(Refusal, match="lowest terms"):
            _rational(wrong)


class Parabola:
    """E = (x - 0.25)^2 / 2 over balls, as a network of one parameter."""

    size = 1

    def __call__(self, theta: list[arb]) -> tuple[arb, arb_mat, arb_mat]:
        x = theta[0] - arb(0.25)
        return x * x / 2, arb_mat([[x]]), arb_mat([[1]])


def test_the_zero_lies_in_the_image_of_the_cube_and_its_loss_in_the_bounds() -> None:
    network: Any = Parabola()
    for middle in (0.25, 0.375, 0.125):
        value, box = _krawczyk(network, [arb(middle)], arb(0.25), arb(0.5), ctx.prec // 4)
        assert box[0] == 0.25
        assert value.contains(0)
        assert value.rad() < 0.05
    # The bound of the loss is sharp where the zero lies near the face.
    value, _ = _krawczyk(network, [arb(0.375)], arb(0.1255), arb(0.5), ctx.prec // 4)
    assert value.contains(0)
    assert value.rad() < 0.0079
    for middle, inner, verdict, name in (
        # The zero lies on the face of the cube, outside, and outside of none but the first.
        (0.5, 0.25, Verdict.UNDECIDED, "inclusion"),
        (0.5, 0.125, Verdict.REFUTED, "inclusion"),
    ):
        with pytest.raises(Refusal, match=name) as refusal:
            _krawczyk(network, [arb(middle)], arb(inner), arb(1), ctx.prec // 4)
        assert refusal.value.args[1] is verdict
    with pytest.raises(Refusal, match="uniqueness"):
        _krawczyk(network, [arb(0.5)], arb(0.375), arb(0.125), ctx.prec // 4)


def test_a_matrix_that_is_no_inverse_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = arb_mat([[0]]), [arb(1)]
    monkeypatch.setattr("symland.rigor.check.approximate_inverse", lambda matrix, bits: nothing)
    network: Any = Parabola()
    with pytest.raises(Refusal, match="inclusion"):
        _krawczyk(network, [arb(0.25)], arb(0.25), arb(0.5), ctx.prec // 4)


class Turning:
    """A network of two parameters whose Hessian changes on wide boxes, in a direction that the inverse hardly sees."""

    size = 2

    def __call__(self, theta: list[arb]) -> tuple[arb, arb_mat, arb_mat]:
        change = 0.3 if theta[0].rad() > 0 else 0.0
        return arb(0), arb_mat(2, 1), arb_mat([[2 + change, 1 + change], [1 + change, 1 + change]])


def test_where_norms_do_not_suffice_the_product_is_taken() -> None:
    network: Any = Turning()
    # |Y| |H - C| has a row sum of 1.8, and I - Y H one of 0.6.
    _, box = _krawczyk(network, [arb(0), arb(0)], arb(0.25), arb(0.5), ctx.prec // 4)
    assert all(abs(x) < 0.25 for x in box)


def test_what_meets_its_bounds_lies_in_them() -> None:
    for low, high in (("1", "2"), ("0", "1"), ("1", "1")):
        _inside(arb(1), arb(low), arb(high), "it")
    for found, low, high, verdict in (
        (arb(1), arb(2), arb(3), Verdict.REFUTED),
        (arb(1), arb(-1), arb(0), Verdict.REFUTED),
        (arb(1, 0.5), arb(1), arb(2), Verdict.UNDECIDED),
        (arb(1, 0.5), arb(0), arb(1), Verdict.UNDECIDED),
        (arb("nan"), arb(0), arb(1), Verdict.UNDECIDED),
    ):
        with pytest.raises(Refusal, match=r"it (lies outside|is not proved to lie in) its bounds") as refusal:
            _inside(found, low, high, "it")
        assert refusal.value.args[1] is verdict


def test_small_eigenvalues_of_wide_networks_are_read() -> None:
    for theta in (xor_points(8, "1e-3", 6)[0], xor_points(4, "1e-8", 3)[0]):
        spec = xor(8 if len(theta) == 42 else 4, "1e-3" if len(theta) == 42 else "1e-8")
        assert check_certificate(certify(spec, theta).to_dict()).verdict is Verdict.CERTIFIED


def test_a_file_is_ascii_and_no_longer_than_its_limit() -> None:
    text = json.dumps(certificates()[0])
    for other in (text.encode("utf-16"), text.encode("utf-32"), text.encode("utf-8-sig"), text + "\u00a0"):
        assert check_certificate(other) == CheckResult(verdict=Verdict.REFUTED, reason="the file is not ASCII text")
    assert check_certificate(text + " " * (10_000_000 - len(text))).verdict is Verdict.CERTIFIED
    assert "longer than" in check_certificate(text + " " * (10_000_001 - len(text))).reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"a": NaN}',
        '{"a": 1e400}',
        "[" * 100_000,
        '{"format": 1, "format": 2}',
        b"\xff\xfe",
        *(json.dumps({"a": 1}).encode(code) for code in ("utf-16", "utf-32", "utf-8-sig")),
        '{"é": 1}',
        " " * 10_000_001,
        "9" * 5000,
        "\ud800",
    ],
)
def test_hostile_text_is_refused_without_an_exception(text: str | bytes) -> None:
    assert check_certificate(text).verdict is Verdict.REFUTED


def test_swapped_digests_are_refused_even_with_a_fitting_seal() -> None:
    first, last = certificates()[0], certificates()[-1]
    assert check_certificate(sealed({**first, "spec_digest": last["spec_digest"]})).verdict is Verdict.REFUTED
    assert check_certificate(sealed({**first, "spec": last["spec"]})).verdict is Verdict.REFUTED
    assert check_certificate({**first, "seal": last["seal"]}).verdict is Verdict.REFUTED


def test_a_cube_on_which_the_operator_leaves_the_cube_is_not_accepted() -> None:
    # Where another code bounds |I - Y H(X)| by 1.3 to 1.9, the image of the cube is larger than the cube.
    spec, values = xor(2, "1e-3"), certificates()[-1]
    with working_precision(200):
        centre = [arb(parse_decimal(t)) for t in values["midpoint"]]
        point = preconditioned_midpoint(spec, centre, 200)
        assert point is not None
        radius = Fraction(values["uniqueness_radius"])
        for _ in range(40):
            radius *= Fraction(11, 10)
            slope = contraction(point.inverse, hessian_over(spec, cube(centre, arb(float(radius)))))
            if 1.3 < float(slope) < 1.9:
                break
        assert 1.3 < float(slope) < 1.9
    grown = sealed({**values, "uniqueness_radius": _decimal(Fraction(round(radius * 10**8), 10**8))})
    assert check_certificate(grown).verdict is not Verdict.CERTIFIED


def test_floats_and_repeated_keys_are_refused_even_with_a_fitting_seal() -> None:
    values = deepcopy(certificates()[0])
    values["midpoint"][0] = float(values["midpoint"][0])
    assert check_certificate(sealed(values)).verdict is Verdict.REFUTED
    text = json.dumps(certificates()[0])
    doubled = text[:-1] + ', "reason": ""}'
    assert check_certificate(doubled).verdict is Verdict.REFUTED


def test_an_undecided_certificate_is_not_accepted() -> None:
    flat = xor(2, "0")
    made = certify(flat, [0.0] * 12)
    assert check_certificate(made.to_dict()).verdict is Verdict.UNDECIDED


def test_the_checker_imports_nothing_that_makes_certificates() -> None:
    allowed: dict[ModuleType, set[str]] = {
        symland.rigor.check: {
            "symland.records",
            "symland.rigor.check_activation",
            "symland.rigor.check_matrices",
        },
        symland.rigor.check_matrices: {"symland.rigor.check_slices"},
        symland.rigor.check_slices: set(),
        symland.rigor.check_activation: {"symland.records"},
    }
    for module, known in allowed.items():
        text = Path(module.__file__).read_text(encoding="utf-8")
        tree = ast.parse(text)
        modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert {m for m in modules if m and m.startswith("symland")} == known
        assert not modules & {"ast", "sympy", "mpmath"}
        assert len(text.splitlines()) < 400


def test_the_command_loads_nothing_that_makes_certificates(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(certificates()[0]), encoding="utf-8")
    code = (
        "import sys\nfrom symland.cli import app\n"
        "assert app(['check', 'a.json'], result_action='return_value') == 0\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "symland.rigor.check" in loaded
    rooms = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("symland.")}
    assert not rooms & {"symland.program", "symland.kernels", "symland.explore", "symland.symbolic", "symland.spec"}
    assert not loaded & {"symland.rigor.certify", "symland.rigor.krawczyk", "sympy", "mpmath", "scipy", "llvmlite"}


@given(specs(deepest=2, widest=2), st.integers(0, 2**32))
@settings(max_examples=8, phases=(Phase.generate,))
def test_two_derivations_agree_on_random_networks(spec: Any, seed: int) -> None:
    if spec.penalty == 0:
        spec = spec.with_(penalty=Fraction(1, 50))
    starts = np.random.default_rng(seed).normal(size=(6, spec.n_parameters))
    for theta in newton_points(spec, starts)[:2]:
        made = certify(spec, [float(t) for t in theta])
        if made.verdict is Verdict.CERTIFIED:
            assert check_certificate(made.to_json()).verdict is Verdict.CERTIFIED


def test_the_schema_names_every_key() -> None:
    schema = certificate_schema()
    values = certificates()[0]
    assert set(schema["required"]) == set(schema["properties"]) - {"gauge"} == set(values)
    assert set(schema["properties"]["claims"]["required"]) == set(values["claims"])
    assert set(schema["properties"]["spec"]["required"]) == set(values["spec"])


@pytest.mark.parametrize("asked", ["1e-9", "1e-30", "1e-90"])
def test_eigenvalues_are_enclosed_as_narrowly_as_is_asked(asked: str) -> None:
    # I - 2 v v^T / |v|^2 turns a diagonal matrix into one with the same eigenvalues, three of which are one.
    spectrum, v = [-3, Fraction(-1, 7), 2, 2, 2, Fraction(9, 2)], [2, 3, 5, -7, 11, 13]
    norm, p = sum(x * x for x in v), range(6)
    turn = [[(i == j) - Fraction(2 * v[i] * v[j], norm) for j in p] for i in p]
    exact = [[sum(turn[i][k] * spectrum[k] * turn[k][j] for k in p) for j in p] for i in p]
    with working_precision(600):
        matrix = arb_mat([[arb(fmpq(x.numerator, x.denominator)) for x in row] for row in exact])
        found = eigenvalue_discs(matrix, arb(asked))
        assert ctx.prec == 600
        for ball, value in zip(found, spectrum, strict=True):
            value = Fraction(value)
            assert ball.contains(arb(fmpq(value.numerator, value.denominator)))
            assert ball.rad() <= 6 * arb(asked)


def test_discs_are_as_narrow_as_the_square_of_what_is_off_the_diagonal_and_lose_no_eigenvalue() -> None:
    # A is diagonal, so that its eigenvalues are known, and Q = I + 1e-6 R neither orthogonal nor diagonal.
    spectrum, draw = [-2.0, -1.0, 0.5, 0.5, 0.5 + 1e-8, 3.0, 40.0], np.random.default_rng(5)
    with working_precision(200):
        diagonal, one = arb_mat(np.diag(spectrum).tolist()), arb_mat(7, 7, 1)
        for _ in range(20):
            turn = one + arb_mat((1e-6 * draw.uniform(-1, 1, (7, 7))).tolist())
            rest = (one - turn.transpose() * turn).tolist()
            found = _gershgorin((turn.transpose() * diagonal * turn).tolist(), rest, arb(2e-5))
            apart, close = [found[k] for k in (0, 1, 5, 6)], [found[k] for k in (2, 3, 4)]
            for ball, value in zip(apart, (-2, -1, 3, 40), strict=True):
                assert ball.contains(value)
                assert ball.rad() < 1e-7
            union = close[0].union(close[1]).union(close[2])
            assert union.contains(0.5)
            assert union.contains(0.5 + 1e-8)


def test_nearly_equal_eigenvalues_are_enclosed_to_the_precision_that_is_set() -> None:
    # With an orthogonal matrix of rationals, I - 2 v v^T / |v|^2, the eigenvalues are those prescribed.
    spectrum = [
        Fraction(-2),
        -2 + Fraction(1, 10**40),
        Fraction(1, 10**60),
        Fraction(2, 10**60),
        Fraction(1),
        Fraction(1),
    ]
    size, v = len(spectrum), [3, -1, 4, 1, 5, 9]
    norm = sum(x * x for x in v)
    turn = [[(i == j) - Fraction(2 * v[i] * v[j], norm) for j in range(size)] for i in range(size)]
    exact = [
        [sum(turn[i][k] * spectrum[k] * turn[k][j] for k in range(size)) for j in range(size)] for i in range(size)
    ]
    with working_precision(500):
        matrix = arb_mat([[arb(fmpq(x.numerator, x.denominator)) for x in row] for row in exact])
        found = eigenvalue_discs(matrix)
        for ball, value in zip(found, spectrum, strict=True):
            assert ball.contains(arb(fmpq(value.numerator, value.denominator)))
            assert ball.rad() < 1e-100
        # Discs that need not be narrow are not improved, and hold the eigenvalues too.
        rough = eigenvalue_discs(matrix, arb(1e-6))
        for ball, value in zip(rough, spectrum, strict=True):
            assert ball.contains(arb(fmpq(value.numerator, value.denominator)))
            assert 1e-100 < ball.rad() < 1e-6


def test_the_checkers_inverse_is_good_to_the_precision_that_is_set_or_refused() -> None:
    with working_precision(400):
        steep = arb_mat(
            [[arb(3) ** -(i + j + 1) + (i == j) * arb(10) ** (-10 * i) for j in range(4)] for i in range(4)]
        )
        for matrix in (arb_mat([[2]]), steep, steep * arb(10) ** 400):
            size = matrix.nrows()
            inverse, sums = approximate_inverse(matrix, ctx.prec // 4)
            with working_precision(2_000):
                defect = arb_mat(size, size, 1) - inverse * matrix.mid()
                for row, most in zip(defect.tolist(), sums, strict=True):
                    assert sum((abs(x) for x in row), arb(0)) <= most < 1e-20
        # What the bits of the product do not hold counts too.
        long = 1 + arb(2) ** -200
        assert approximate_inverse(arb_mat([[2, 0], [0, long]]), 1)[1][1] >= arb(2) ** -200
        for singular in (arb_mat(2, 2), arb_mat([[1, 2], [2, 4]])):
            with pytest.raises(ZeroDivisionError):
                approximate_inverse(singular, ctx.prec // 4)


def test_checking_a_wide_network_takes_no_precision_that_its_claims_do_not_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []

    def watched(matrix: arb_mat, enough: arb) -> list[arb]:
        taken.append(ctx.prec)
        return eigenvalue_discs(matrix, enough)

    monkeypatch.setattr("symland.rigor.check.eigenvalue_discs", watched)
    values = certificates()[-1]
    assert check_certificate(values).verdict is Verdict.CERTIFIED
    assert check_certificate(padded(values, 2_000)).verdict is Verdict.CERTIFIED
    assert len(taken) == 2
    assert max(taken) < 300
