"""The public names are pinned, and importing the package loads nothing heavy."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import symland

PUBLIC = {
    "Asked",
    "CompiledKernel",
    "Database",
    "Landscape",
    "LandscapeSpec",
    "Loss",
    "Outcome",
    "Pathway",
    "Penalised",
    "StationaryPoint",
    "SymlandError",
    "Verdict",
    "ask",
    "build_loss",
    "build_program",
    "builtin",
    "certify",
    "check_embedding",
    "compile_kernel",
    "differentiate",
    "draw_levels",
    "draw_network",
    "draw_slice",
    "draw_spectra",
    "draw_tree",
    "explore",
    "find_symmetry",
    "load_spec",
    "pathways",
    "prove_program",
    "refine",
    "run",
    "write_report",
}


def test_the_public_names_are_pinned() -> None:
    assert set(symland.__all__) == PUBLIC
    assert set(dir(symland)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(symland, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'certifi'"):
        symland.certifi  # noqa: B018


@pytest.mark.parametrize("module", ["symland", "symland.cli"])
def test_importing_loads_no_heavy_library(module: str) -> None:
    heavy = {"sympy", "scipy", "llvmlite", "flint", "matplotlib", "networkx", "mpmath"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_verdict_refuses_to_be_a_truth_value() -> None:
    with pytest.raises(TypeError, match="three values"):
        bool(symland.Verdict.CERTIFIED)
    v = symland.Verdict
    assert v.all(v.CERTIFIED, v.UNDECIDED) is v.UNDECIDED
    assert v.all(v.UNDECIDED, v.REFUTED) is v.REFUTED
    assert v.all(v.CERTIFIED, v.CERTIFIED) is v.CERTIFIED


def test_explore_tells_its_options() -> None:
    """`symland.explore` is a package and a verb; as a verb it has the signature of its function."""
    options = inspect.signature(symland.explore).parameters
    assert list(options)[:2] == ["kernel", "group"]
    assert {"seed", "max_index", "until", "budget", "progress"} <= set(options)
