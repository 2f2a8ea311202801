"""A primitive operation is declared once, and every algebra computes it or refuses it by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb, nmod

import symland
from symland.kernels.rounding import Rounded, RoundingAlgebra
from symland.program.algebra import Algebra
from symland.program.balls import BallAlgebra
from symland.program.complex_balls import ComplexBallAlgebra
from symland.program.digits import DigitsAlgebra
from symland.program.dual import DualAlgebra
from symland.program.expressions import ExpressionAlgebra
from symland.program.floats import NumpyAlgebra
from symland.program.identity import PRIME, FieldAlgebra
from symland.program.ir import PRIMITIVES, Instruction
from symland.program.slopes import SlopeAlgebra
from symland.program.taylor import TaylorAlgebra
from symland.program.taylor_model import Monomials, TaylorModelAlgebra
from symland.rigor.lane_algebra import LaneAlgebra
from symland.symbolic.functions import standard

ARGUMENTS = (Fraction(3, 8), Fraction(-5, 4), Fraction(7, 4))
DEFINITIONS: dict[str, Callable[..., Any]] = {
    "div": lambda a, b: a / b,
    "power": lambda x: x**3,
    "sqrt": mpmath.sqrt,
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tanh": mpmath.tanh,
    "sech2": lambda x: 1 / mpmath.cosh(x) ** 2,
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "erf": mpmath.erf,
    "gauss": lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(x**2)),
    "lse0": lambda *m: mpmath.log(1 + sum(mpmath.exp(x) for x in m)),
    "softmax0": lambda *m: mpmath.exp(m[0]) / (1 + sum(mpmath.exp(x) for x in m)),
}
VALUES = {"power": Fraction(3), "softmax0": Fraction(1)}
ALGEBRAS: dict[str, tuple[Algebra[Any], Callable[[Any], float]]] = {
    "SymPy expressions": (ExpressionAlgebra(), lambda x: float(standard(x))),
    "NumPy arrays": (NumpyAlgebra(), float),
    "mpmath numbers": (DigitsAlgebra(), float),
    "Arb balls": (BallAlgebra(), float),
    "balls with slopes": (SlopeAlgebra(), lambda x: float(x.value)),
    "dual numbers": (DualAlgebra(NumpyAlgebra()), lambda x: float(x.a)),
    "Taylor polynomials": (TaylorAlgebra(), lambda x: float(x.a)),
    "rounded balls": (RoundingAlgebra(), lambda x: float(x.ball)),
    "complex balls": (ComplexBallAlgebra(), lambda x: float(x.real)),
    "lanes of intervals": (LaneAlgebra(), lambda x: float(x.middle())),
    "Taylor models": (TaylorModelAlgebra(Monomials(1, 1, 2)), lambda x: x.value),
}


def arguments(op: str) -> Sequence[Fraction]:
    return ARGUMENTS[: PRIMITIVES[op] or len(ARGUMENTS)]


@pytest.mark.parametrize("op", PRIMITIVES)
@pytest.mark.parametrize("name", ALGEBRAS)
def test_every_algebra_computes_every_primitive(name: str, op: str) -> None:
    algebra, number = ALGEBRAS[name]
    found = number(algebra.primitive(op, [algebra.constant(x) for x in arguments(op)], VALUES.get(op)))
    wanted = DEFINITIONS[op](*(mpmath.mpf(x.numerator) / x.denominator for x in arguments(op)))
    assert found == pytest.approx(float(wanted), rel=1e-13)


@pytest.mark.parametrize("op", PRIMITIVES)
def test_a_finite_field_refuses_them_by_name(op: str) -> None:
    algebra: Algebra[Any] = FieldAlgebra(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"^{op} has no meaning"):
        algebra.primitive(op, [nmod(2, PRIME)], None)


def test_an_operation_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="'cosh' is no primitive operation"):
        Instruction(op="cosh")


def test_no_algebra_is_forgotten_here() -> None:
    """Those that take every function for an opaque or random one have no primitives of their own."""
    import symland.kernels.checks
    import symland.program.proof  # noqa: F401

    def kinds(base: type) -> set[type]:
        return {kind for sub in base.__subclasses__() for kind in (sub, *kinds(sub))}

    tested = {type(algebra).__name__ for algebra, _ in ALGEBRAS.values()} | {"FieldAlgebra"}
    product = [kind for kind in kinds(Algebra) if kind.__module__.startswith("symland.")]
    ours = {kind.__name__ for kind in product if not kind.__name__.startswith("_")}
    assert ours <= tested


def test_a_loss_is_one_object_and_a_name() -> None:
    """CONTRIBUTING says that a new loss changes two files: no other may tell one loss from another by its name."""
    root = Path(symland.__file__).parent
    naming = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if any(f"Loss.{name}" in path.read_text(encoding="utf-8") for name in ("SOFTMAX", "LOGISTIC", "SQUARED"))
    }
    # Enumeration is a theory of the softmax loss alone, and asks whether it is.
    assert naming == {"spec.py", "symbolic/losses.py", "rigor/enumeration/problem.py"}


def test_balls_hold_what_rounding_can_make() -> None:
    inner, outer = BallAlgebra(), RoundingAlgebra()
    for op in PRIMITIVES:
        balls = [inner.constant(x) for x in arguments(op)]
        exact = inner.primitive(op, balls, VALUES.get(op))
        grown = outer.primitive(op, [Rounded(ball) for ball in balls], VALUES.get(op)).ball
        assert grown.contains(exact)
        assert np.isfinite(float(grown.rad()))
        assert isinstance(exact, arb)
