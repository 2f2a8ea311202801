"""The application object, its help, and how the texts of all its arguments are read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from cyclopts import App, Parameter, Token, convert

__all__ = ["app"]

_WHOLE = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)


def _read(kind: Any, tokens: Sequence[Token]) -> Any:
    """An argument's value: integers are whole and no larger than 10^15, numbers finite, paths not empty, seeds >= 0."""
    kinds = {kind, *get_args(kind)}
    for token in tokens:
        text = token.value
        if int in kinds and not _WHOLE.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is no integer of at most 15 digits")
        if token.keyword == "--seed" and int in kinds and int(text) < 0:
            raise ValueError(f"{text!r} is negative; write 0 or more")
        if float in kinds and not _finite(text):
            raise ValueError(f"{text[:40]!r} is no finite number")
        if Path in kinds and (not text or "\0" in text):
            raise ValueError("the path is empty" if not text else "a path holds no zero byte")
    return convert(kind, tokens)


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


app = App(
    name="symland",
    help=(
        "Exact loss landscapes of small neural networks.\n\n"
        "Begin with `symland run xor --hidden 1 --penalty 1e-2 -o first`; `symland VERB --help` has an example of each."
    ),
    help_format="markdown",
    version_flags=["--version"],
    default_parameter=Parameter(converter=_read),
    # `main` says what an interrupted command has kept.
    suppress_keyboard_interrupt=False,
)
app.register_install_completion_command()
