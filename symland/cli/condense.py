"""`symland condense`: the orientations on which hidden nodes gather at small initialisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from symland.cli.account import status_of
from symland.cli.app import app
from symland.cli.display import print_json, print_table, say
from symland.cli.options import Json, OptionalFolder, Overrides, Spec, read_spec

if TYPE_CHECKING:
    from pathlib import Path

    from symland.analysis.condensation.answer import Condensation
    from symland.analysis.condensation.training import Run
    from symland.spec import LandscapeSpec

__all__ = ["condense"]


@app.command
def condense(
    spec: Spec,
    /,
    *,
    overrides: Overrides = Overrides(),
    layer: Annotated[int, Parameter(help="Hidden layer, counted from 1.")] = 1,
    train: Annotated[bool, Parameter(negative="", help="Train networks from small weights and look at them.")] = False,
    seeds: Annotated[int, Parameter(help="Networks to train, with the seeds 0, 1, ...")] = 10,
    method: Annotated[
        Literal["normalised", "flow", "descent", "adam"],
        Parameter(help="A clock for each node, gradient flow, gradient descent, or Adam."),
    ] = "normalised",
    std: Annotated[float, Parameter(help="Standard deviation of the initial weights.")] = 1e-4,
    rate: Annotated[float | None, Parameter(help="Of a step; 0.03, descent 0.1, Adam 5e-4 by default.")] = None,
    steps: Annotated[int, Parameter(help="Most steps of training.")] = 5000,
    loss_ratio: Annotated[
        float | None, Parameter(help="Stop at this share of the first loss; 0.999 at order 1, 0.99 above by default.")
    ] = None,
    output: OptionalFolder = None,
    json: Json = False,
) -> int:
    """Predict the orientations on which hidden nodes condense at small initialisation, and prove that these are all.

    With --train real networks are trained, without penalty and with the output biases at 0. With -o pictures are
    written. Exit status 1 when the list of orientations is not proved complete, or a trained network did not condense.

    Example: `symland condense xor --activation "z*tanh(z)"`
    """
    from symland.analysis.condensation import answer as answers
    from symland.codec import plain

    question = read_spec(spec, overrides)
    answer, run = answers.condense(question, layer=layer), None
    if train:
        from symland.analysis.condensation.training import Method, Training

        training = Training(method=Method(method), std=std, rate=rate, steps=steps, loss_ratio=loss_ratio)
        answer, run = answers.with_training(answer, question, seeds=seeds, training=training)
    if output is not None:
        _draw(question, answer, run, output)
    if json:
        print_json({"schema": "symland-condense/1", **plain(answer)})
    else:
        for table in answers.tables(answer):
            print_table(table.title, table.heads, table.texts())
        for family in answer.families:
            print(family)
    say(answers.sentence(answer))
    return status_of(answer.complete) or status_of(answers.condensed(answer))


def _draw(question: LandscapeSpec, answer: Condensation, run: Run | None, folder: Path) -> None:
    """Write every picture into a folder, which is made."""
    from symland.analysis.condensation.answer import energy_of
    from symland.analysis.condensation.pictures import pictures
    from symland.figures.style import save_figure

    folder.mkdir(parents=True, exist_ok=True)
    drawn = pictures(question, energy_of(question)[1], answer, run)
    for name, picture in drawn.items():
        save_figure(picture.figure, folder, name)
    say(f"{folder}: {', '.join(drawn) or 'no picture for this number of input weights without --train'}")
