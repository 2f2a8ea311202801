"""Machine code on disk: what is found is what would be made, else it is made again."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symland.errors import KernelError
from symland.kernels.engines import inline_code, record_code
from symland.kernels.llvm import print_llvm
from symland.machine import llvm
from symland.machine.cache import cache_folder, read_entry, source_digest
from symland.machine.llvm import load_text, make_object
from symland.rigor.enumeration.choice_program import choice_program
from symland.rigor.enumeration.emit import CompiledLanes, lane_text
from symland.rigor.enumeration.problem import reduced_problem
from symland.spec import load_spec

TEXT, _ = lane_text("f", lambda lanes: [lanes[0] * 2.0], 1)
COLUMN = np.array([[3.0]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMLAND_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was compiled."""
    calls: list[Any] = []

    def make(*given: Any) -> bytes:
        calls.append(given)
        return make_object(*given)

    monkeypatch.setattr(llvm, "make_object", make)
    return calls


def times(factor: float) -> float:
    """Three times a factor, by a program whose name is that of every other."""
    return float(CompiledLanes("f", lambda lanes: [lanes[0] * factor], 1)(COLUMN)[0, 0])


def test_a_text_is_compiled_once_and_each_text_has_its_own_code(folder: Path, made: list[Any]) -> None:
    assert [times(factor) for factor in (2.0, 5.0, 2.0, 5.0)] == [6.0, 15.0, 6.0, 15.0]
    assert len(made) == len(list(folder.glob("*.o"))) == 2


@pytest.mark.parametrize(
    "damage",
    [bytes.upper, lambda content: content[:-5], lambda content: b"", lambda content: content + b"x"],
    ids=["changed", "cut", "empty", "longer"],
)
def test_a_damaged_entry_is_made_again(folder: Path, made: list[Any], damage: Callable[[bytes], bytes]) -> None:
    times(2.0)
    (entry,) = folder.glob("*.o")
    entry.write_bytes(damage(entry.read_bytes()))
    assert times(2.0) == 6.0
    assert len(made) == 2
    assert read_entry(folder, entry.stem) is not None


def test_an_entry_of_another_text_is_foreign_under_whatever_name_it_lies(folder: Path, made: list[Any]) -> None:
    times(2.0)
    times(5.0)
    first, second = folder.glob("*.o")
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    assert [times(2.0), times(5.0)] == [6.0, 15.0]
    assert len(made) == 4


@pytest.mark.parametrize("fact", ["llvm", "triple", "cpu", "features"])
def test_code_of_another_compiler_or_processor_is_foreign(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fact: str
) -> None:
    code, host, asked = make_object(TEXT), dict(llvm.host()), []
    load_text(TEXT, folder)
    monkeypatch.setattr(llvm, "make_object", lambda *given: asked.append(given) or code)
    load_text(TEXT, folder)
    assert not asked
    monkeypatch.setattr(llvm, "host", lambda: {**host, fact: "another"})
    load_text(TEXT, folder)
    assert len(asked) == 1


def test_the_room_that_makes_code_is_in_the_key(folder: Path, made: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    load_text(TEXT, folder)
    assert len(made) == 1
    monkeypatch.setattr(llvm, "source_digest", lambda *places: "another source")
    load_text(TEXT, folder)
    assert len(made) == 2


def test_the_source_of_a_place_is_that_of_its_files() -> None:
    assert len({source_digest("machine"), source_digest("kernels"), source_digest("machine", "kernels")}) == 3
    assert source_digest("machine/gate.py") != source_digest("machine/cache.py")
    assert cache_folder().is_absolute()


def test_text_that_is_none_is_refused_in_one_line(folder: Path) -> None:
    with pytest.raises(KernelError, match="report it") as caught:
        load_text("define nothing", folder)
    assert "\n" not in str(caught.value)
    assert not list(folder.iterdir())


def test_the_second_run_compiles_nothing(folder: Path, made: list[Any]) -> None:
    program = choice_program(reduced_problem(load_spec("xor", hidden=(1,), penalty="1/10")))
    seconds = []
    for _ in range(2):
        begun = time.process_time()
        CompiledLanes("choices", program, program.inputs.size)
        seconds.append(time.process_time() - begun)
    assert len(made) == 1
    assert seconds[1] < 0.5 * seconds[0]


def test_an_option_for_one_compilation_does_not_touch_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    code = inline_code(record_code(load_spec("xor", hidden=(2,)), ("value", "gradient"))[1])
    text = print_llvm(code, "f")
    before = make_object(text)
    quick = make_object(text, waits_least=True)
    assert quick != before
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(make_object, text, waits_least=bool(k % 2)) for k in range(8)]
    assert [job.result() == (quick if k % 2 else before) for k, job in enumerate(jobs)] == [True] * 8
    with pytest.raises(KernelError):
        make_object("define nothing", waits_least=True)
    monkeypatch.setattr(llvm, "KNOWN_VERSIONS", range(0))
    assert make_object(text, waits_least=True) == before


def test_the_option_is_set_back_when_making_code_fails() -> None:
    text = print_llvm(inline_code(record_code(load_spec("xor", hidden=(2,)), ("gradient",))[1]), "f")
    before = make_object(text)
    with pytest.raises(RuntimeError, match="as if"), llvm._scheduling(True):
        raise RuntimeError("as if LLVM failed")
    assert make_object(text) == before
    assert not llvm._COMPILING.locked()
