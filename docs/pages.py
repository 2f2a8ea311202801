"""What a page of the manual tells its reader to type, and running it: `python docs/pages.py PAGE FOLDER`."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(r"```(console|toml|python)\n(.*?)```", re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The blocks of a page: ("command", line), ("file", text with its name in the first line) or ("python", text)."""
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "console":
            for line in text.splitlines():
                if line.startswith("$ "):
                    yield "command", line[2:]
        else:
            yield ("file" if kind == "toml" else "python"), text


def run(kind: str, text: str, folder: Path, more: list[str], ends: tuple[int, ...] = (0,)) -> str:
    """Run one block in a folder; what it printed.

    Raises
    ------
    RuntimeError
        If it ends with another status, or warns.
    """
    if kind == "file":
        first, _, _ = text.partition("\n")
        (folder / first.removeprefix("# ")).write_text(text, encoding="utf-8")
        return ""
    python = [sys.executable, "-W", "error", "-c", text]
    command = python if kind == "python" else [sys.executable, "-m", *shlex.split(text), *more]
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    if done.returncode not in ends or "Warning" in done.stderr:
        raise RuntimeError(f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def main(page: str, folder: str) -> None:
    """Run a page; statuses 0 and 1 are both an answer."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for kind, text in blocks(Path(page)):
        sys.stderr.write(f"$ {text}\n" if kind == "command" else text)
        run(kind, text, Path(folder), [], ends=(0, 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
