"""Numbers as LaTeX keep what they enclose, and text cannot break a document."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symland.records import Verdict
from symland.tex import enclosure_tex, fraction_tex, scientific_tex, text_tex, verdict_tex


def interval(tex: str) -> tuple[Fraction, Fraction]:
    """What a printed enclosure says: common digits with two tails, c(k), or one exact number."""
    if found := re.fullmatch(r"(-?[\d.]*)_\{(\d+)\}\^\{(\d+)\}", tex):
        return Fraction(found[1] + found[2]), Fraction(found[1] + found[3])
    if found := re.fullmatch(r"(-?\d+\.?(\d*))\((\d+)\)", tex):
        middle, radius = Fraction(found[1]), Fraction(int(found[3]), 10 ** len(found[2]))
        return middle - radius, middle + radius
    return Fraction(tex), Fraction(tex)


decimals = st.decimals(min_value=-3, max_value=3, places=24)


@given(decimals, st.integers(0, 40), st.integers(2, 30))
def test_a_printed_enclosure_holds_the_enclosure_and_is_not_much_wider(lower, units, power) -> None:  # type: ignore[no-untyped-def]
    low = Fraction(lower)
    high = low + Fraction(units, 10**power)
    printed = interval(enclosure_tex(str(low), str(high), 14))
    ends = sorted(printed)
    assert ends[0] <= low <= high <= ends[1]
    assert ends[1] - ends[0] <= 200 * (high - low) + Fraction(4, 10**14)


@pytest.mark.parametrize(
    ("ends", "tex"),
    [
        (("0.0835575896935921480806", "0.0835575896935921480807"), "0.083557589693_{59}^{60}"),
        (("0.00199999999999999999", "0.00200000000000000001"), "0.00200000000000(1)"),
        (("0.5", "0.5"), "0.50000000000000"),
        (("-0.25000000000000000001", "-0.25"), "-0.2500000000000_{1}^{0}"),
    ],
)
def test_enclosures_in_print(ends: tuple[str, str], tex: str) -> None:
    assert enclosure_tex(*ends) == tex


@given(st.text())
def test_text_holds_no_bare_special_character_and_nothing_that_pdflatex_lacks(text: str) -> None:
    tex = text_tex(text)
    bare = re.sub(r"\\(textbackslash|textasciicircum|textasciitilde|textless|textgreater)\{\}|\\[{}$&#%_]", "", tex)
    bare = re.sub(r"\$\\[A-Za-z]+\$|\\texttt\{U\+[0-9A-F]{4,6}\}", "", bare)
    while (less := re.sub(r"\\([`'^~=u.\"rHvdckb]|textcommabelow)\{([^{}\\]*)\}", r"\2", bare)) != bare:
        bare = less
    assert not set(bare) & set("\\{}$&#%_^~<>")
    assert all(ord(c) < 0x180 for c in tex)


def test_names_in_other_letters_come_through() -> None:
    for text, tex in (
        ("Größe", "Größe"),
        ("λ_Ω", r"$\lambda$\_$\Omega$"),
        ("Ελλάδα", r"E$\lambda$$\lambda$\'{$\alpha$}$\delta$$\alpha$"),
        ("Việt ș", r"Vi\^{\d{e}}t \textcommabelow{s}"),
        ("中", r"\texttt{U+4E2D}"),
    ):
        assert text_tex(text) == tex


@pytest.mark.parametrize(
    ("value", "tex"),
    [("1/1000", "10^{-3}"), ("1/10", "0.1"), ("0", "0"), ("3", "3"), ("-2/3", r"-\tfrac{2}{3}"), ("1/400", "0.0025")],
)
def test_exact_numbers_in_print(value: str, tex: str) -> None:
    assert fraction_tex(Fraction(value)) == tex


@pytest.mark.parametrize(
    ("value", "tex"),
    [(0.0, "0"), (2.04e-53, r"2.0 \times 10^{-53}"), (1e-30, "10^{-30}"), (0.25, "0.25"), (123.0, "123")],
)
def test_sizes_in_print(value: float, tex: str) -> None:
    assert scientific_tex(value) == tex


def test_each_verdict_has_its_own_sign() -> None:
    assert len({verdict_tex(v) for v in Verdict}) == 3
    assert verdict_tex("certified") == verdict_tex(Verdict.CERTIFIED)
