"""What the manual tells a reader to type runs, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```(console|toml|python)\n(.*?)```", re.DOTALL)


SHARED = ("check proof.json", "check first.zip")
"""They prove a whole tree again, half a minute each: here a fiftieth of it, which is no proof and exits with 1."""


def run(command: list[str], folder: Path, ends: tuple[int, ...] = (0,)) -> str:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode in ends, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Warning" not in done.stderr
    return done.stdout + done.stderr


def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    printed: list[str] = []
    for kind, text in BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")):
        if kind == "toml":
            (tmp_path / text.split("\n", 1)[0].removeprefix("# ")).write_text(text, encoding="utf-8")
        elif kind == "python":
            printed.append(run([sys.executable, "-W", "error", "-c", text], tmp_path))
        else:
            for line in text.strip().splitlines():
                assert line.startswith("$ symland ")
                part = line.removeprefix("$ symland ") in SHARED
                more, ends = (["--share", "0.02"], (1,)) if part else ([], (0,))
                printed.append(run([sys.executable, "-m", *shlex.split(line[2:]), *more], tmp_path, ends))
    whole = "\n".join(printed)
    assert "refuted" not in whole
    assert "at least 7 (certified, distinct)" in whole
    assert "exactly 7 (proved complete)" in whole
    made = ("atlas.html", "certificates", "class-0.tex", "first.zip", "kernel", "net.sqlite", "proof.json", "tree.png")
    assert {p.name for p in tmp_path.iterdir()} >= {"first", *made}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.stem)
def test_every_page_is_in_the_contents_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.stem != "index":
        assert f"\n{page.stem}\n" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), target
