"""Options and answer: the labels of classes."""

from __future__ import annotations

import msgspec

__all__ = ["ClassLabel", "Labels"]


class ClassLabel(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """What a class is: irreducible, or the extension of class `narrow_class` at width `width`.

    `narrow_class` is None where it is irreducible, where no list of that width was given, or where that list does not
    hold it (`missing`). `label` says it in words.
    """

    number: int
    width: tuple[int, ...]
    irreducible: bool
    narrow_class: int | None
    label: str
    missing: bool = False


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of all classes."""

    classes: tuple[ClassLabel, ...]
