"""What a page of the manual tells its reader to type, and running it: `python docs/pages.py FOLDER PAGE...`."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent

BLOCK = re.compile(r"```(console|toml|csv|python)\n(.*?)```", re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The blocks of a page: ("command", line), ("toml" or "csv", text named in its first line) or ("python", text).

    A piece of Python that is no program stands in a block named `py`.
    """
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "console":
            yield from (("command", line[2:]) for line in text.splitlines() if line.startswith("$ "))
        else:
            yield kind, text


def run(kind: str, text: str, folder: Path, more: Sequence[str] = (), ends: Sequence[int] = (0,)) -> str:
    """Run one block in a folder; what it printed.

    Parameters
    ----------
    more : sequence of str
        Words added to a command.
    ends : sequence of int
        Statuses that are right.

    Raises
    ------
    RuntimeError
        If it ends with another status, or warns.
    """
    if kind in ("toml", "csv"):
        first, _, rest = text.partition("\n")
        (folder / first.removeprefix("# ")).write_text(rest, encoding="utf-8")
        return ""
    line, _, target = text.partition(" > ")
    words = ["python", "-c", text] if kind == "python" else [*shlex.split(line, comments=True), *more]
    program = [sys.executable, "-W", "error"] if words[0] == "python" else [sys.executable, "-m", words[0]]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [*program, *words[1:]], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode not in ends or "Warning" in done.stderr:
        raise RuntimeError(f"{text}\nstatus {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    if kind == "command" and target:
        (folder / target.strip()).write_text(done.stdout, encoding="utf-8")
    return done.stdout + done.stderr


def main(target: str, *pages: str) -> None:
    """Run pages, each in a folder of its own beside a link to the examples; statuses 0 and 1 are both an answer."""
    for page in map(Path, pages):
        folder = Path(target, page.stem) if len(pages) > 1 else Path(target)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "examples").exists():
            (folder / "examples").symlink_to(ROOT / "examples")
        for kind, text in blocks(page):
            sys.stderr.write(f"{page.stem}: {text.strip() if kind == 'command' else kind}\n")
            run(kind, text, folder, ends=(0, 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
