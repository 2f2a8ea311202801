"""The checker's grammar takes what it says and nothing else, and a singularity is never multiplied away."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy

import pytest
from flint import arb
from mpmath import mp, mpf

from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor.check import check_certificate
from symland.rigor.check_activation import Refusal, read_activation
from symland.rigor.decimals import parse_decimal
from tests.rigor.certificates import certificates, redigested

ACTIVATIONS = (
    "tanh",
    "sigmoid",
    "softplus",
    "sin",
    "erf",
    "exp(-z**2/2)",
    "log(3 + 2*sin(2*z))",
    "z/(1 + z**2)**2",
    "(3 + cos(2*z))**-2",
    "(1 + 2*z)**3 - (2 - z)**2 + (1 + z)**1 + z**0",
    "sqrt(1 + 4*z**2)",
    "sigmoid(2*z)**3",
    "softplus(1 - 2*z)*tanh(z/3)",
    "erf(z/2)*cos(z)",
    "+z - 0.25*z**3 + 1.5e-1*z**2",
    "tanh(2*z)/(2 + sin(3*z))",
    "-z**2 + 2*-z - -z*+3",
    "z**-(-2) + 2**(-1)*z + .5e-1*z + 1.*z",
    "z - z/2 - z/3*2 - 1E1 + (2)*(z)",
)


def _in_mpmath(text: str) -> Callable[[mpf], mpf]:
    names = {n: getattr(mp, n) for n in ("exp", "log", "tanh", "sin", "cos", "erf", "sqrt")}
    names |= {"sigmoid": lambda x: 1 / (1 + mp.exp(-x)), "softplus": lambda x: mp.log1p(mp.exp(x))}
    if text in names:
        return names[text]
    exact = re.sub(r"\d+\.\d*(e-?\d+)?", lambda m: f"mpf('{m[0]}')", text)
    return lambda z: eval(exact, {"__builtins__": {}}, names | {"z": z, "mpf": mpf})


@pytest.mark.parametrize("text", ACTIVATIONS)
def test_the_checker_differentiates_activations_as_differences_do(text: str) -> None:
    f, sigma = _in_mpmath(text), read_activation(text)
    with working_precision(200), mp.workdps(60):
        for x in ("-1.7", "-0.4", "0", "0.25", "2.5"):
            held = sigma(arb(parse_decimal(x)))
            wide = sigma(arb(parse_decimal(x)) + arb(0, 1e-6))
            for order, (ball, around) in enumerate(zip(held, wide, strict=True)):
                known = mp.diff(f, mpf(x), order, h=mpf(10) ** -15) if order else f(mpf(x))
                assert abs(ball - arb(mp.nstr(known, 40))) < 1e-12
                assert ball.rad() < 1e-40
                assert around.contains(ball)
                assert around.rad() < 1e-3
                for end in (-1, 1):
                    moved = sigma(arb(parse_decimal(x)) + end * arb(1e-6))[order]
                    assert around.overlaps(moved)
                    assert not around.rad() > 1e6 * (abs(moved - ball) + 1e-5)


OUTSIDE = (
    *(
        "z**65",
        "z**-65",
        "z**0.5",
        "z**z",
        "z**2**3",
        "z**2e0",
        "z**",
        "z**()",
        "z**(2",
        "z**02",
        "tan(z)",
        "exp",
        "log",
    ),
    *(
        "z if z else z",
        "1j*z",
        "True*z",
        "0x10*z",
        "1_0*z",
        "z(z)",
        "2z",
        "z z",
        "z 2",
        "2 (z)",
        "1or z",
        "02*z",
        "00*z",
    ),
    *("1..*z", "1.2.3*z", "1e*z", "1e1000*z", ".*z", "1 .5*z", "z*1e 5", "z.real", "tanh (z", "tanh(z, z)", "tanh(z,)"),
    *(
        "tanh()",
        "tanh(x=z)",
        "tanh(*z)",
        "z @ z",
        "z // 2",
        "z % 2",
        "~z",
        "not z",
        "-x",
        "'a'",
        "[z]",
        "z;z",
        "z,",
        "()",
    ),
    *(
        "",
        " ",
        "+",
        "z+",
        "*z",
        "(z",
        "z)",
        "tanh(z)#c",
        "tanh(z)\\",
        "tanh\n(z)",
        "tanh(z)\t",
        "z\x00",
        "tanh\u00a0(z)",
    ),
    *(
        "ｔａｎｈ(z)",
        "tanh(ｚ)",
        "tanh（z）",
        "２*z",
        "١*z",
        "z²",
        "tanh(z)−z",
        "z\u200b",
        "TANH(z)",
        "tanh(Z)",
        "tanhz",
        "ztanh",
    ),
    *(None, 7, ["z"], {"z": 1}, True, 500 * "z+" + "z", 49_000_000 * " " + "z"),
)


@pytest.mark.parametrize("text", OUTSIDE, ids=lambda text: repr(text)[:20])
def test_the_checker_reads_no_other_activation(text: object) -> None:
    with pytest.raises(Refusal) as refusal:
        read_activation(text)
    assert refusal.value.args[1] is Verdict.REFUTED
    assert len(str(refusal.value.args[0])) < 120


def test_a_certificate_with_another_activation_is_refuted() -> None:
    for text in ("tanh(z,)", "tanh(z)#c", "ｔａｎｈ(z)", "tanh(x=z)", None, 400 * " " + "tanh(z)" + 400 * " "):
        values = deepcopy(certificates()[0])
        values["spec"]["activation"] = text
        assert check_certificate(redigested(values)).verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    "lost", ["0*log(z)", "0/z", "0*sqrt(z)", "0*z**-1", "0*log(z)**2", "0*exp(log(z))", "0*sqrt(z**2)"]
)
def test_what_the_network_needs_is_never_multiplied_away(lost: str) -> None:
    # tanh itself is certified by each of these, and the origin is one of the inputs' sums.
    for values in certificates():
        changed = deepcopy(values)
        changed["spec"]["activation"] = f"tanh(z)+{lost}"
        assert check_certificate(redigested(changed)).verdict is not Verdict.CERTIFIED
        changed["spec"]["activation"] = "tanh(z)+0*log(2 + z**2)+0/(1 + z**2)+0*sqrt(3 + z**2)"
        assert check_certificate(redigested(changed)).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    ("text", "middle", "radius", "verdict"),
    [
        ("0*log(z)", 1, 1, Verdict.UNDECIDED),
        ("0*log(z)", 1, 2, Verdict.UNDECIDED),
        ("0*log(z)", -3, 1, Verdict.REFUTED),
        ("0*log(z)", 0, 0, Verdict.REFUTED),
        ("0*sqrt(z)", 1, 1, Verdict.UNDECIDED),
        ("0*sqrt(z)", -3, 1, Verdict.REFUTED),
        ("sqrt(z)**2", -3, 1, Verdict.REFUTED),
        ("sqrt(z**2)", 1, 2, Verdict.UNDECIDED),
        ("exp(log(z))", -3, 1, Verdict.REFUTED),
        ("0/z", 1, 1, Verdict.UNDECIDED),
        ("0/z", 0, 0, Verdict.REFUTED),
        ("z/z", 0, 1, Verdict.UNDECIDED),
        ("0*z**-2", 1, 2, Verdict.UNDECIDED),
        ("0*z**-2", 0, 0, Verdict.REFUTED),
        ("0/(z - 1)", 1, 0, Verdict.REFUTED),
        ("0/log(z)", 1, 0, Verdict.REFUTED),
        ("0*exp(exp(exp(exp(exp(z)))))", 10, 0, Verdict.UNDECIDED),
        ("tanh(exp(exp(exp(exp(exp(z))))))", 10, 0, Verdict.UNDECIDED),
        ("z", "nan", 0, None),
        ("tanh", "nan", 0, Verdict.UNDECIDED),
        ("tanh", 0, "inf", Verdict.UNDECIDED),
        ("sin(z)", 0, "inf", Verdict.UNDECIDED),
        ("0*cos(z)", "nan", 0, Verdict.UNDECIDED),
    ],
)
def test_undefined_and_unbounded_are_answers(
    text: str, middle: float | str, radius: float | str, verdict: Verdict | None
) -> None:
    ball = arb(middle) + arb(0, 1) * arb(radius)
    if verdict is None:
        assert not read_activation(text)(ball)[0].is_finite()
        return
    with pytest.raises(Refusal) as refusal:
        read_activation(text)(ball)
    assert refusal.value.args[1] is verdict


def test_a_number_is_rounded_at_the_precision_of_its_use() -> None:
    sigma = read_activation("0.1*z")
    with working_precision(400):
        value, slope, _ = sigma(arb(1))
        assert value.rad() < 1e-100
        assert abs(10 * slope - 1) < 1e-100


def test_an_activation_is_read_up_to_the_limit() -> None:
    assert read_activation("z" + 249 * "+z" + " ")
    with pytest.raises(Refusal, match="at most 500"):
        read_activation("z" + 249 * "+z" + "  ")
    assert read_activation(30 * "(" + "z" + 30 * ")")
    assert read_activation(499 * "-" + "z")(arb(1)) == (-1, -1, 0)
    for deep in (31 * "(" + "z" + 31 * ")", "z**" + 31 * "(" + "2" + 31 * ")"):
        with pytest.raises(Refusal, match="30 parentheses deep"):
            read_activation(deep)
