"""GMIN, OPTIM and PATHSAMPLE on the XOR network, as the package pylfl runs them.

Basin hopping, then double-ended searches between all pairs of minima and single-ended searches from each. Everything
happens in the current folder, which the programs fill with their files.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from symland.landscape.exchange import read_pathsample
from symland.spec import LandscapeSpec

HOPS = 400
"""Steps of basin hopping."""

SEARCHES = (8, 2)
"""Single-ended searches from each minimum, and cycles of them for each minimum."""

SAME = "1.0D-6"
"""Losses that these programs take as one."""


def run_pylfl(spec: LandscapeSpec) -> np.ndarray:
    """Minima and transition states that the programs find."""
    from pylfl import functions, maketempfiles

    (hidden,) = spec.hidden
    network = {"nin": 2, "nhidden": hidden, "nout": 2, "l2lambda": repr(float(spec.penalty))}
    rows = zip(spec.data.inputs, spec.data.labels, strict=True)
    Path("MLPdata").write_text("".join(f"{float(x[0])} {float(x[1])} {label}\n" for x, label in rows))

    maketempfiles.make_gmin_data(**network, norm=False, ndata=spec.n_samples, nsteps=HOPS, f_outname="data")
    _change("data", STEP="2.0", EDIFF=SAME)
    functions.random_starting_coords(spec.n_parameters)
    functions.gmin()

    maketempfiles.make_odata_dumpdata(**network, norm=False)
    maketempfiles.make_pathdata_addmin(**network)
    _change("pathdata.template.ADDMIN", EDIFFTOL=SAME)
    functions.initpdb(spec.n_parameters)

    maketempfiles.make_pathdata_newconnections(**network)
    maketempfiles.make_odata_connect(**network, norm=False)
    maketempfiles.make_odata_tspath(**network, norm=False)
    _change("odata.connect.template", EDIFFTOL=SAME)
    _change("odata.tspath.template", EDIFFTOL=SAME, MAXMAX="0.5", MAXSTEP="0.5")
    minima = len(Path("min.data").read_text().splitlines())
    pairs = list(combinations(range(1, minima + 1), 2))
    Path("pairs").write_text("".join(f"{a} {b}\n" for a, b in pairs))
    template = "pathdata.template.NEWCONNECTIONS"
    _change(template, EDIFFTOL=SAME, SEED="1", CYCLES=str(len(pairs)), NEWCONNECTIONS=None, CONNECTPAIRS="pairs")
    functions.extendpdb()
    wanted, cycles = SEARCHES
    _change(template, CYCLES=str(cycles * minima), CONNECTPAIRS=None, NEWCONNECTIONS=f"{wanted} {cycles} 1")
    functions.extendpdb()

    found = read_pathsample(Path.cwd(), spec.n_parameters)
    return np.vstack((found.theta_minima, found.theta_states))


def _change(name: str, **values: str | None) -> None:
    """Give keywords of a file another value where they stand, as coordinates may follow; None takes one out."""
    lines = [line for line in Path(name).read_text().splitlines() if not line.startswith("comment")]
    present = [line.split()[0] for line in lines]
    for key, value in values.items():
        if key not in present:
            lines.append(key if value is None else f"{key} {value}")
            present.append(key)
        lines[present.index(key)] = f"{key} {value}" if value is not None else ""
    Path(name).write_text("".join(f"{line}\n" for line in lines if line))
