"""The derivation program of a multilayer perceptron: value, gradient, Hessian and their products with vectors.

For one sample, with a_0 = x, s_l = W_l a_{l-1} + b_l, a_l = sigma(s_l), p_l = sigma'(s_l), q_l = sigma''(s_l):

margins     V = B W_{L+1},  v = B b_{L+1},  u = V a_L + v,  m = S u - t,  ell = head(m)
backward    delta_{L+1} = (1/D) S^T head'(m);   e_l = W_{l+1}^T delta_{l+1},  delta_l = p_l e_l
gradient    dE/dW_l = sum_d delta_l a_{l-1}^T,   dE/db_l = sum_d delta_l

Second order. Let G_{n,m} = ds_n/ds_m, A_{n,m} = da_n/ds_m = p_n G_{n,m}, and B_{m,n} the Hessian of ell in s_m and s_n
with the weights held fixed. From d^2 s_{l+1} = W (q (ds_l)^2 + p d^2 s_l) + 2 dW p ds_l it follows that

    B_{L+1,L+1} = (1/D) S^T head''(m) S,         B_{m,n} = G_{n,m}^T B_{n,n}   (m < n),
    B_{n,n} = B_{n,n+1} G_{n+1,n} + diag(e_n q_n),
    d^2 E / dW_m[j,k] dW_n[i,K] = sum_d a_{m-1}[k] ( a_{n-1}[K] B_{m,n}[j,i] + delta_n[i] A_{n-1,m}[K,j] ),

the last term only for m < n. A bias takes 1 for its a, and has no last term where it is the n. The blocks of the last
layer are found for the contrasts V and carried over to W_{L+1} by B once per point, not per sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from symland.program.builder import ORDERS, Builder
from symland.program.by_data import add_data_outputs
from symland.program.directional import add_per_sample, add_product
from symland.program.ir import Program
from symland.spec import LandscapeSpec

__all__ = ["WANTED", "build_program"]

WANTED = ("value", "gradient", "hessian")
"""What a program is asked for unless something else is said."""


def build_program(spec: LandscapeSpec, want: Iterable[str] = WANTED) -> Program:
    """The program of a specification; whoever asks for it again gets the same one, with the plans made for it.

    Parameters
    ----------
    spec : LandscapeSpec
    want : any of "value", "gradient", "hessian", "product", "per_sample" and, with respect to the data, "by_input",
        "by_input_twice", "mixed", "margins", "margins_by_input" and "margins_by_theta"

    Returns
    -------
    Program
        Inputs: theta (P,). Outputs, as wanted: value (), gradient (P,), hessian (P, P) with its entries of
        row <= column; product (P,), the Hessian times the further input direction (P,); per_sample (D, P), the
        gradient of the loss of each sample; those of `symland.program.by_data`. Data: x (D, n_0), and where the loss
        has them S (D, q, q), t (D, q),
        B (q, K); penalty ().

    Raises
    ------
    ValueError
        If `want` is empty or names something else, or asks for the margins by theta of a loss without labels.
    """
    asked = set(want)
    wanted = tuple(w for w in ORDERS if w in asked)
    if not wanted or asked - set(ORDERS):
        raise ValueError(f"want must be among {tuple(ORDERS)}, got {tuple(sorted(asked))}")
    return _derived(spec, wanted)


@lru_cache(maxsize=16)
def _derived(spec: LandscapeSpec, wanted: tuple[str, ...]) -> Program:
    asked = set(wanted)
    builder = Builder(spec, wanted)
    if "margins_by_theta" in wanted and not builder.oriented:
        raise ValueError(f"the loss {spec.loss.value} has no labels, so its margins are the errors of the outputs")
    builder.forward()
    if builder.order >= 1:
        builder.backward()
    if "gradient" in wanted:
        builder.gradient()
    if asked & {"hessian", "mixed", "by_input_twice"}:
        builder.second_order()
    builder.penalty()
    if "product" in wanted:
        add_product(builder)
    if "per_sample" in wanted:
        add_per_sample(builder)
    add_data_outputs(builder)
    return builder.program()
