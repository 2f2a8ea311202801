"""A user's test data: a CSV text with the columns of the training data."""

from __future__ import annotations

from symland.datasets import Dataset, parse_csv
from symland.errors import SpecError
from symland.spec import LandscapeSpec

__all__ = ["parse_test_set"]


def parse_test_set(text: str, name: str, spec: LandscapeSpec) -> Dataset:
    """The samples of a CSV text with labels.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.
    spec : LandscapeSpec

    Raises
    ------
    SpecError
        Where there is no sample, the inputs are not as many as the network's, or a label is unknown to it.
    """
    data = parse_csv(text, "test", True, name)
    if not data.inputs:
        raise SpecError.at(name, "no samples", "give one line for each after the header")
    if len(data.inputs[0]) != spec.n_inputs:
        what = f"{len(data.inputs[0])} columns of inputs"
        raise SpecError.at(name, what, f"give {spec.n_inputs}, as the training data have, and label")
    most = max(spec.n_outputs, 2)
    for number, label in enumerate(data.labels):
        if label >= most:
            raise SpecError.at(f"{name} sample {number}", f"label {label} is unknown", f"write 0 to {most - 1}")
    return data
