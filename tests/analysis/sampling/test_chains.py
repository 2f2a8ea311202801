"""Effective sizes of known processes, and the command that draws networks."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from symland.analysis.sampling.chains import effective_size, r_hat
from tests.analysis.temperature.landscapes import two_weights_loss
from tests.test_cli import call


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_an_autoregressive_chain_is_worth_one_minus_rho_over_one_plus_rho(rho):
    rng = np.random.default_rng(0)
    x = np.zeros((8, 20_000))
    x[:, 0] = rng.normal(size=8)
    noise = rng.normal(size=x.shape) * np.sqrt(1 - rho**2)
    for k in range(1, x.shape[1]):
        x[:, k] = rho * x[:, k - 1] + noise[:, k]
    assert effective_size(x) == pytest.approx(x.size * (1 - rho) / (1 + rho), rel=0.08)
    assert r_hat(x) == pytest.approx(1.0, abs=0.01)


def test_chains_that_stay_apart_are_worth_little_and_have_a_large_r_hat():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 1000)) + 3 * np.arange(4)[:, None]
    assert r_hat(x) > 2
    assert effective_size(x) < 20


TOML = """
[network]
hidden = [1]
bias = false
[data]
inputs = [[1], ["1/2"]]
targets = [["1"], ["2/5"]]
[loss]
kind = "squared"
penalty = "1/20"
"""


def test_the_command_draws_from_the_density_and_writes_the_chains(tmp_path, capsys):
    spec, out, picture = (tmp_path / name for name in ("two.toml", "chains.npz", "paths.png"))
    spec.write_text(TOML)
    quick = ("--samples", "128", "--runs", "4", "--chains", "16", "--sweeps", "200")
    call("sample", str(spec), "--temperature", "0.1", *quick, "-o", str(out), "--picture", str(picture), "--json")
    document = json.loads(capsys.readouterr().out)
    grid = np.linspace(-12, 12, 1201)
    loss = two_weights_loss(*np.meshgrid(grid, grid, indexing="ij"))
    weights = np.exp(-(loss - loss.min()) / 0.1)
    exact = (weights * loss).sum() / weights.sum()
    energy = document["energy"]
    assert abs(energy["value"] - exact) < 4 * energy["error"] < 0.05
    assert document["round_trips"] > 50
    assert all(0.3 < level["acceptance"] <= 1 for level in document["levels"])
    held = np.load(out)
    assert held["theta"].shape == (16, document["draws"], 2)
    # (w, v) and (-w, -v) are one network: all draws lie in one domain.
    w, v = held["theta"][..., 0], held["theta"][..., 1]
    assert held["energy"] == pytest.approx(two_weights_loss(w, v), abs=1e-12)
    assert picture.stat().st_size > 1000


def test_bad_input_is_refused_in_one_line(capsys):
    bad = [("--temperature", "1e-2,1"), ("--chains", "1"), ("-o", "chains.csv")]
    for options in bad:
        assert call("sample", "xor", *options) == 2
        assert capsys.readouterr().err.startswith("symland:")


@pytest.mark.skipif(importlib.util.find_spec("arviz") is not None, reason="ArviZ is installed")
def test_without_arviz_one_line_says_what_to_install(tmp_path, capsys):
    spec = tmp_path / "two.toml"
    spec.write_text(TOML)
    quick = ("--samples", "32", "--runs", "3", "--chains", "4", "--sweeps", "40")
    assert call("sample", str(spec), *quick, "-o", str(tmp_path / "chains.nc")) == 2
    assert "install arviz" in capsys.readouterr().err
