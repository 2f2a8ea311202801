"""Whatever the flags of a compiler, exported C is right or is refused; without its guard, the self-test fails."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from symland.kernels import export_kernel
from symland.kernels.c99 import PRECISE
from tests.kernels.test_export import COMPILERS, SMALL

RIGHT, REFUSED, WRONG = "right", "#error", "self-test"

FLAGS = {
    "-O0": RIGHT,
    "-O2": RIGHT,
    "-O3": RIGHT,
    "-O3 -march=native": RIGHT,
    "-O3 -march=native -std=gnu11": RIGHT,
    "-O2 -mavx512fp16 -std=gnu11": RIGHT,
    "-O2 -march=native -ffp-contract=fast": RIGHT,
    "-O2 -march=x86-64-v2": RIGHT,
    "-O2 -march=x86-64-v3": RIGHT,
    "-O2 -mavx": RIGHT,
    "-O2 -std=gnu11": RIGHT,
    "-O2 -fno-math-errno -fno-trapping-math": RIGHT,
    "-O2 -frounding-math": RIGHT,
    "-O2 -flto": RIGHT,
    "-Ofast": REFUSED,
    "-O2 -ffast-math": REFUSED,
    "-O2 -funsafe-math-optimizations": "either",
    "-O2 -fassociative-math -fno-signed-zeros -fno-trapping-math": "either",
    "-O2 -freciprocal-math": "either",
    "-O2 -ffinite-math-only": "either",
    "-O2 -mfpmath=387": REFUSED,
    "-O2 -mfpmath=387 -std=gnu11": REFUSED,
    "-O2 -m32": REFUSED,
    "-O2 -m32 -msse2 -mfpmath=sse": RIGHT,
}
"""What comes of exported C. Either: a compiler that says what it was told is refused, others obey the pragma."""

UNGUARDED = (
    "-Ofast",
    "-O2 -ffast-math",
    "-O2 -funsafe-math-optimizations",
    "-O2 -fassociative-math -fno-signed-zeros -fno-trapping-math",
)
"""Flags that make a source without its guard wrong, under every compiler."""


PROBE = """
#include <float.h>
#include <math.h>
int main(void) {
#ifdef __AVX512FP16__
  return !__builtin_cpu_supports("avx512fp16");
#else
  return 0;
#endif
}
"""
"""A program that ends with 0 where the processor has what the flags promise: an empty one needs none of it."""


@cache
def takes(compiler: str, flags: str, folder: Path) -> bool:
    """Whether a compiler has these flags, and this machine runs what it makes of them."""
    (folder / "any.c").write_text(PROBE)
    command = [compiler, *flags.split(), "any.c", "-lm", "-o", "any"]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        return False
    return subprocess.run(["./any"], cwd=folder, check=False).returncode == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flags")
    export_kernel(SMALL, "c", folder)
    unguarded = folder / "unguarded"
    shutil.copytree(folder, unguarded)
    for name in ("small.c", "small_self_test.c"):
        text = (unguarded / name).read_text()
        assert PRECISE in text
        bare = "".join(line + "\n" for line in PRECISE.splitlines() if line.startswith("#include"))
        (unguarded / name).write_text(text.replace(PRECISE, bare))
    return folder


def outcome(compiler: str, flags: str, folder: Path) -> str:
    command = [compiler, "-std=c99", *flags.split(), "main.c", "small.c", "small_self_test.c", "-lm", "-o", "main"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode:
        assert "error" in built.stderr
        assert re.search(r"sums would be reordered|would be lost|more digits", built.stderr), built.stderr[:500]
        return REFUSED
    ran = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, check=False)
    wrong = int(ran.stdout.splitlines()[-1].split()[1])
    assert (ran.returncode != 0) == (wrong > 0)
    return WRONG if wrong else RIGHT


SCALAR = " -DSYMLAND_SCALAR"
ALONE = ("-O0", "-O3 -march=native", *(flags for flags, expected in FLAGS.items() if expected != RIGHT))
"""Flags under which code without vectors is tried too: those that might change its numbers, and two that do not."""


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("flags", "extra"), [*((flags, "") for flags in FLAGS), *((flags, SCALAR) for flags in ALONE)])
def test_exported_c_is_right_or_refused(folder: Path, compiler: str, flags: str, extra: str) -> None:
    if not takes(compiler, flags, folder):
        pytest.skip(f"{compiler} has no {flags} here")
    assert outcome(compiler, flags + extra, folder) in (
        (RIGHT, REFUSED) if FLAGS[flags] == "either" else (FLAGS[flags],)
    )


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("flags", "expected"), [("-O2", RIGHT), *((flags, WRONG) for flags in UNGUARDED)])
def test_the_self_test_finds_what_the_guard_would_have_stopped(
    folder: Path, compiler: str, flags: str, expected: str
) -> None:
    assert outcome(compiler, flags, folder / "unguarded") == expected


def test_the_manual_names_every_flag_and_what_comes_of_it() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "kernels.md").read_text(encoding="utf-8")
    rows = {tuple(cell.strip().strip("`") for cell in line.split("|")[1:-1]) for line in manual.splitlines()}
    for flags, expected in FLAGS.items():
        words = {"either": "#error or pragma"}.get(expected, expected)
        assert (flags, words, "self-test" if flags in UNGUARDED else "") in rows, flags
