"""symland: exact loss landscapes of small neural networks.

    spec = symland.load_spec("xor", hidden=(2,), penalty="1e-3")
    kernel = symland.compile_kernel(spec)                  # verified machine code for loss, gradient, Hessian
    found = symland.explore(kernel, symland.find_symmetry(spec))
    refined = symland.refine(spec, found.points[0].theta, digits=50)
    certificate = symland.certify(spec, refined)           # existence, uniqueness, index, loss enclosure
    landscape = symland.Landscape(spec=spec, points=found.points)
    symland.ask(landscape, "flatness").figures()           # any question of `symland ask`

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symland.analysis.asked import Asked, ask
    from symland.analysis.extended_points import check_embedding
    from symland.errors import SymlandError
    from symland.explore import explore
    from symland.explore.pathways import pathways
    from symland.kernels import CompiledKernel, compile_kernel
    from symland.landscape.database import Database
    from symland.landscape.landscape import Landscape
    from symland.pipeline import run
    from symland.program.derive import build_program
    from symland.program.proof import prove_program
    from symland.records import Outcome, Pathway, StationaryPoint, Verdict
    from symland.report import write_report
    from symland.report.drawing import draw_levels, draw_network, draw_slice, draw_spectra, draw_tree
    from symland.rigor.certify import certify
    from symland.rigor.refine import refine
    from symland.spec import LandscapeSpec, Loss, Penalised, builtin, load_spec
    from symland.symbolic.loss import build_loss, differentiate
    from symland.symbolic.symmetry import find_symmetry

_HOMES = {
    "symland.analysis.asked": ("Asked", "ask"),
    "symland.analysis.extended_points": ("check_embedding",),
    "symland.errors": ("SymlandError",),
    "symland.explore": ("explore",),
    "symland.explore.pathways": ("pathways",),
    "symland.kernels": ("CompiledKernel", "compile_kernel"),
    "symland.landscape.database": ("Database",),
    "symland.landscape.landscape": ("Landscape",),
    "symland.pipeline": ("run",),
    "symland.program.derive": ("build_program",),
    "symland.program.proof": ("prove_program",),
    "symland.records": ("Outcome", "Pathway", "StationaryPoint", "Verdict"),
    "symland.report": ("write_report",),
    "symland.report.drawing": ("draw_levels", "draw_network", "draw_slice", "draw_spectra", "draw_tree"),
    "symland.rigor.certify": ("certify",),
    "symland.rigor.refine": ("refine",),
    "symland.spec": ("LandscapeSpec", "Loss", "Penalised", "builtin", "load_spec"),
    "symland.symbolic.loss": ("build_loss", "differentiate"),
    "symland.symbolic.symmetry": ("find_symmetry",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
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
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Read when it is asked for: importing the package reads no files.
        from importlib.metadata import version

        return version("symland")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
