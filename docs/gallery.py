"""The pictures of the gallery, made small enough to keep: `python docs/gallery.py FROM TO`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from PIL import Image

COLOURS = 256
"""Of each picture; a third of the bytes, and no eye sees it."""


def main(source: str, target: str) -> None:
    """Copy every picture that docs/gallery.md shows out of the folder in which its lines were run."""
    page = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    for name in re.findall(r"\(\.\./reports/gallery/([^)]+\.png)\)", page):
        path = Path(target, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(Path(source, name)) as picture:
            picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
