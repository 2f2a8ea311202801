"""The files that readers are shown work as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from symland.program.derive import build_program
from symland.program.identity import check_identity
from symland.records import Verdict
from symland.spec import load_spec, parse_spec

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "examples").glob("*.toml"))


@pytest.mark.parametrize("path", SPECS, ids=[p.stem for p in SPECS])
def test_an_example_specification_gives_a_program(path: Path) -> None:
    spec = load_spec(path)
    assert check_identity(spec, build_program(spec)).verdict is Verdict.CERTIFIED


def test_the_readme_specification_reads() -> None:
    text = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    assert parse_spec(text, "readme", lambda name: "").hidden == (3, 2)


def test_the_quickstart_runs() -> None:
    script = ROOT / "examples" / "quickstart.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert "classes by index 4 3" in done.stdout
    assert done.stdout.count("with one more node") == 7
