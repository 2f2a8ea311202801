"""An activation is read by one grammar, in two codes that agree, and is smooth on the whole line as it is written."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpc, mpf

from symland.domain import LINE, ORIGIN, Range, Singular, range_over
from symland.errors import SpecError
from symland.expression import Node, parse_activation, standard_text
from symland.rigor.check_activation import Refusal, read_activation
from symland.symbolic.activation import derive_activation

FUNCTIONS = ("exp", "log", "tanh", "sin", "cos", "erf", "sqrt", "sigmoid", "softplus")
NUMBERS = st.sampled_from(["0", "1", "2", "3", "7", "0.5", "1e-3", ".25", "1.", "2E1", "1/3", "1e300", "12.5e-10"])
TEXTS = st.recursive(
    st.just("z") | NUMBERS,
    lambda inner: st.one_of(
        st.builds("{}({})".format, st.sampled_from(FUNCTIONS), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("({})**{}".format, inner, st.sampled_from(["2", "3", "0", "-1", "-2", "(-3)", "+4", "--1", "-(2)"])),
        st.builds("{}({})".format, st.sampled_from(["", "-", "+", "--", "- +"]), inner),
    ),
    max_leaves=8,
)
STRANGE = [
    "**",
    "//",
    "(z)",
    "1e5",
    "0x1",
    "1j",
    "02",
    "tan",
    "pi",
    "if",
    "ｚ",
    "²",
    "lambda",
    "or",
    "[",
    "]",
    "logistic",
    ";",
    "\\",
    "@",
    "z.real",
    "1.5",
    "z*",
    "+z",
]
WORDS = st.lists(st.sampled_from([*FUNCTIONS, *STRANGE, *"zzz0123456789.+-*/()eE ,#_=:'\u00a0"]), max_size=9).map(
    "".join
)

SINGULAR_AT_ORIGIN = [
    "1/z",
    "log(z)",
    "sqrt(z)",
    "z**-1",
    "z**(-2)",
    "sqrt(z)**2",
    "exp(log(z))",
    "sqrt(z**2)",
    "z/z",
    "0/z",
    "0*log(z)",
    "z*log(z)",
    "1/(z - z)",
    "1/sin(z)",
    "tanh(z)+0*log(z)",
    "tanh(z)+0/z",
    "tanh(z)+0*sqrt(z)",
    "log(1 - cos(z))",
    "1/(1 - exp(z))",
    "1/(sigmoid(z) - 1/2)",
    "log(-1 - z**2)",
    "sqrt(erf(z))",
    "exp(-log(z**2))",
    "1/tanh(z)**2",
]
SINGULAR_ELSEWHERE = [
    "log(1 + z)",
    "1/(1 + z)",
    "sqrt(1 + z)**2",
    "exp(log(2 - z))",
    "sin(z)/cos(z)",
    "log(cos(z) + 1)",
    "1/(z**2 - 2)",
    "1/(1 + z**3)",
    "sqrt(1 - z**2)",
    "log(1 + 2*sin(z))",
    "1/(2 - exp(z))",
    "(z + 1)**-2",
    "1/(z**2 - 2*z + 1)",
]
SMOOTH = [
    "tanh",
    "z",
    "z/(1+exp(-z))",
    "z/sqrt(1+z**2)",
    "z*(1+erf(z/sqrt(2)))/2",
    "log(1+exp(z))/(1 + z**2)",
    "1/(1+z*z)",
    "log(exp(z)+exp(-z))",
    "(exp(z)-exp(-z))/(exp(z)+exp(-z))",
    "log(1-tanh(z)**2)",
    "1/(1+z+z**2)",
    "log(sigmoid(z))",
    "1/(z**4+z**3+z**2+z+1)",
    "sqrt(softplus(z))",
    "log(3 + 2*sin(2*z))",
    "(3 + cos(2*z))**-2",
    "-1/(-2 - z**2)",
    "1/(1 + tanh(z))",
    "log(2 - exp(-z**2))",
    "1/(sin(z)*cos(z) - 2)",
    "log(5/2 + erf(z))",
    "sqrt(exp(z))",
]


@pytest.mark.parametrize("text", SINGULAR_AT_ORIGIN)
def test_what_is_singular_at_the_origin_is_refused_with_that_reason(text: str) -> None:
    with pytest.raises(SpecError, match=r"singular at z = 0 .* every landscape begins at theta = 0") as error:
        parse_activation(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", SINGULAR_ELSEWHERE)
def test_what_is_singular_elsewhere_is_refused_whatever_sympy_makes_of_it(text: str) -> None:
    with pytest.raises(SpecError, match="not shown to be smooth at every z"):
        parse_activation(text)


@pytest.mark.parametrize("text", SMOOTH)
def test_what_is_smooth_everywhere_is_taken(text: str) -> None:
    assert derive_activation(text).jet


def test_the_square_root_of_a_square_is_refused_in_one_line() -> None:
    with pytest.raises(SpecError, match="Abs") as error:
        derive_activation("sqrt((z**2 + z + 1)**2)")
    assert "\n" not in str(error.value)


def test_numbers_and_powers_of_immense_size_are_refused() -> None:
    for text in ("((1e300**64)**64)*z", "z**64**1", "((z**64)**64)**64", "z + ((2**64)**64)**64"):
        with pytest.raises(SpecError):
            parse_activation(text)
    assert parse_activation("(z**64)**64")


def _value(node: Node, z: mpf) -> mpc:
    """Evaluated in mpmath, where a logarithm or root of a negative number is complex."""
    match node:
        case ("z",):
            return z
        case ("number", number):
            return mpf(number.numerator) / number.denominator
        case ("power", base, (_, exponent)):
            return _value(base, z) ** int(exponent)
    parts = [_value(part, z) for part in node[1:]]
    match node[0]:
        case "neg":
            return -parts[0]
        case "add":
            return parts[0] + parts[1]
        case "sub":
            return parts[0] - parts[1]
        case "mul":
            return parts[0] * parts[1]
        case "div":
            return parts[0] / parts[1]
        case "sigmoid":
            return 1 / (1 + mp.exp(-parts[0]))
        case "softplus":
            return mp.log1p(mp.exp(parts[0]))
    return getattr(mp, node[0])(parts[0])


def _tree(text: str) -> Node | None:
    """The tree of an activation wherever it is smooth."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("symland.expression._need_smooth", lambda *_: None)
        try:
            return parse_activation(text)
        except SpecError:
            return None


ENDS = st.fractions(-4, 4, max_denominator=16)


@given(TEXTS, ENDS, ENDS, st.lists(st.fractions(0, 1, max_denominator=64), min_size=8, max_size=8), st.booleans())
@example("sqrt(z)**2", Fraction(-1), Fraction(1), [Fraction(0)] * 8, True)
@example("1/(1+z+z**2)", Fraction(-3), Fraction(2), [Fraction(1, 2)] * 8, True)
@settings(max_examples=60, deadline=None)
def test_the_range_of_an_expression_holds_every_value_of_it(
    text: str, a: Fraction, b: Fraction, shares: list[Fraction], line: bool
) -> None:
    node = _tree(text)
    assume(node is not None)
    low, high = min(a, b), max(a, b)
    try:
        found = range_over(node, LINE if line else Range(low=low, high=high))
    except Singular:
        assume(False)
    with mp.workdps(60):
        for share in shares:
            z = low + share * (high - low)
            try:
                value = _value(node, mpf(z.numerator) / z.denominator)
            except OverflowError:
                continue
            assert mp.im(value) == 0
            value = mp.re(value)
            assert mp.isfinite(value)
            slack = mpf(10) ** -45 * (1 + abs(value))
            assert _number(found.low) - slack <= value <= _number(found.high) + slack


def _number(end: Fraction | float) -> mpf:
    return mpf(end) if isinstance(end, float) else mpf(end.numerator) / end.denominator


def test_every_functions_range_holds_its_values_at_both_ends() -> None:
    ends = [Fraction(n, 4) for n in (-40, -12, -5, -2, 0, 1, 3, 6, 20)]
    for name in FUNCTIONS:
        for low in ends:
            for high in (e for e in ends if e >= low):
                try:
                    found = range_over((name, ("z",)), Range(low=low, high=high))
                except Singular:
                    assert name in ("log", "sqrt")
                    assert low <= 0
                    continue
                with mp.workdps(30):
                    for z in (low, high):
                        value = _value((name, ("z",)), mpf(z.numerator) / z.denominator)
                        assert _number(found.low) <= value <= _number(found.high)
                        assert not (found.positive and value <= 0)


def test_open_ends_are_kept_apart_from_closed_ones() -> None:
    for text, positive in (("exp(z)", True), ("z**2", False), ("tanh(z) + 1", True), ("cos(z) + 1", False)):
        found = range_over(parse_activation(text), LINE)
        assert found.low == 0
        assert found.positive is positive
    assert range_over(parse_activation("tanh(z) + sin(z) + erf(z)"), ORIGIN) == ORIGIN
    assert Range(low=Fraction(-2), high=Fraction(3)).power(2) == Range(low=Fraction(0), high=Fraction(9))
    assert Range(low=Fraction(0), high=Fraction(3), low_open=True).inverse().low == Fraction(1, 3)


@given(TEXTS | WORDS)
@example("z**-(-2)")
@example("tanh (z)")
@example("1.e5*z")
@example("z//2")
@example("1or z")
@example("02*z")
@example("z* *2")
@settings(max_examples=300, deadline=None)
def test_the_checkers_grammar_is_the_grammar_of_specifications(text: str) -> None:
    text = standard_text(text)
    try:
        parse_activation(text)
        taken, reason = True, ""
    except SpecError as error:
        taken, reason = False, str(error)
    try:
        read_activation(text)
        read = True
    except Refusal:
        read = False
    assert read or not taken, reason
    other = ("singular", "not shown to be smooth", "does not depend on z", "immense", "characters", "out of range")
    assert taken or not read or any(words in reason for words in other), reason
