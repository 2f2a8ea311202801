"""Replicas that are drawn together end where single runs seldom do, and what is counted is counted right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from symland.analysis.replicas import run_replicas
from symland.cli import main
from symland.kernels import compile_kernel
from symland.spec import Loss, builtin

SPEC = builtin("xor").with_(hidden=(2,), penalty="1e-3", loss=Loss.LOGISTIC, outputs=0)


def test_replicas_avoid_bad_minima_and_the_best_of_single_runs_does_too() -> None:
    found = run_replicas(SPEC, replicas=5, runs=40, seed=1)
    assert found.bad_share < 0.15
    assert 0.3 < found.single_bad_share < 0.7
    assert found.best_of_bad_share < 0.2
    assert found.expected_best_of == pytest.approx(found.single_bad_share**5)
    kernel = compile_kernel(SPEC)
    assert found.lowest == pytest.approx(0.11475411, abs=1e-7)
    for end in found.ends:
        assert sum(end.shares.values()) > 0
    for name in ("replicated", "single", "entropy-sgd", "norm"):
        assert sum(end.shares[name] for end in found.ends) <= 1 + 1e-12
    assert kernel.value(np.zeros((1, SPEC.n_parameters)))[0] == pytest.approx(np.log(2))


def test_the_command_prints_its_document_and_refuses_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    few = ["--hidden", "1", "--penalty", "1e-2", "--replicas", "2", "--runs", "4"]
    with pytest.raises(SystemExit) as ended:
        main(["replicas", "xor", *few, "-o", str(tmp_path), "--json"])
    assert ended.value.code == 0
    assert (tmp_path / "ends.png").read_bytes().startswith(b"\x89PNG")
    values = json.loads(capsys.readouterr().out)
    assert {"bad_share", "single_bad_share", "best_of_bad_share"} <= set(values)
    for bad in (["--replicas", "1"], ["--runs", "0"], ["--scale", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(["replicas", "xor", *bad])
        assert ended.value.code == 2
        assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("symland: ")]) == 1
