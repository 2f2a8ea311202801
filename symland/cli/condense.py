"""`symland condense`: the orientations on which hidden nodes gather at small initialisation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from symland.cli.account import status_of
from symland.cli.app import app
from symland.cli.display import print_json, print_table, say
from symland.cli.options import Json, OptionalFolder, Overrides, Spec, read_spec
from symland.errors import SpecError

if TYPE_CHECKING:
    from symland.analysis.condensation.answer import Condensation, Given
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
    at: Annotated[
        Path | None,
        Parameter(help="A saved point: the weights before a layer behind the first; the start of seed 0 by default."),
    ] = None,
    residual: Annotated[
        bool, Parameter(negative="", help="Add hidden layers behind the first to what they see (residual connections).")
    ] = False,
    train: Annotated[bool, Parameter(negative="", help="Train networks from small weights and look at them.")] = False,
    seeds: Annotated[int, Parameter(help="Networks to train, with the seeds 0, 1, ...")] = 10,
    method: Annotated[
        Literal["normalised", "following", "flow", "descent", "adam"],
        Parameter(
            help="A clock for each node, the same with small output weights, gradient flow, gradient descent, or Adam."
        ),
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
    written. What is said of a layer behind the first holds for given weights before it: those of --at, of the start of
    seed 0, or with --train of each network at the end. Exit status 1 when the list of orientations is not proved
    complete, or a trained network did not condense.

    Example: `symland condense xor --activation "z*tanh(z)"`
    """
    from symland.analysis.condensation import answer as answers
    from symland.analysis.condensation.training import Method, Training
    from symland.codec import plain

    question = read_spec(spec, overrides)
    training = Training(
        method=Method(method), std=std, rate=rate, steps=steps, loss_ratio=loss_ratio, residual=residual and train
    )
    given = _given(question, at, layer, train, std)
    answer, run = answers.condense(question, layer=layer, given=given, residual=residual), None
    if train:
        answer, run = answers.with_training(answer, question, seeds=seeds, training=training)
        if layer > 1:
            given = answers.Given(theta=run.theta[0], name=answer.given)
    if output is not None:
        _draw(question, answer, given, run, output)
    if json:
        print_json({"schema": "symland-condense/1", **plain(answer)})
    else:
        for table in answers.tables(answer):
            print_table(table.title, table.heads, table.texts())
        for family in answer.families:
            print(family)
    say(answers.sentence(answer))
    return status_of(answer.complete) or status_of(answers.condensed(answer))


def _given(question: LandscapeSpec, at: Path | None, layer: int, train: bool, std: float) -> Given | None:
    """The weights that a layer behind the first is looked at with."""
    import numpy as np

    from symland.analysis.condensation.answer import Given
    from symland.analysis.condensation.training import start

    if at is None:
        return Given(theta=start(question, 1, std)[0], name="the start of seed 0") if layer > 1 else None
    if layer == 1 or train:
        what = "the first layer needs no weights" if layer == 1 else "--train has weights of its own"
        raise SpecError.at("--at", what, "leave --at away")
    from symland.cli.points import read_point

    of, theta = read_point(at)
    if of.hidden != question.hidden or of.n_inputs != question.n_inputs or of.bias != question.bias:
        raise SpecError.at("--at", f"a point of hidden layers {of.hidden}", f"give one of {question.hidden}")
    return Given(theta=np.array(theta), name=f"the point of {at.name}")


def _draw(question: LandscapeSpec, answer: Condensation, given: Given | None, run: Run | None, folder: Path) -> None:
    """Write every picture into a folder, which is made."""
    from symland.analysis.condensation.answer import energy_of
    from symland.analysis.condensation.pictures import pictures
    from symland.figures.style import save_figure

    folder.mkdir(parents=True, exist_ok=True)
    energy = energy_of(question, layer=answer.layer, given=given, residual=answer.residual)[1]
    drawn = pictures(question, energy, answer, run)
    for name, picture in drawn.items():
        for path in save_figure(picture.figure, folder, name):
            say(str(path))
    if not drawn:
        say("no picture: with this number of input weights there is one after --train only")
