"""A specification is exact, validated, and has one digest for one question."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given

from symland.errors import SpecError
from symland.spec import LandscapeSpec, Loss, builtin, load_spec, parse_spec
from tests.strategies import specs

NETWORK = "[network]\nhidden = [2]\n"
DATA = '[data]\nname = "xor"\n'
INLINE = '[data]\ninputs = [["0", "1"], ["1", "1/3"]]\ntargets = [0, 1]\n'

MALFORMED = {
    "network": DATA,
    "data": NETWORK,
    "not TOML": NETWORK + "hidden",
    "network.hidden": "[network]\nhidden = []\n" + DATA,
    "network.hidden[0]: 0": "[network]\nhidden = [0]\n" + DATA,
    "network.hidden[1]: -3": "[network]\nhidden = [2, -3]\n" + DATA,
    "network.hidden[0]: expected `int`, got `str`": '[network]\nhidden = ["2"]\n' + DATA,
    "network.hidden[0]: expected `int`, got `float`; write an integer": "[network]\nhidden = [2.5]\n" + DATA,
    "network.hidden[0]: 99999": "[network]\nhidden = [99999]\n" + DATA,
    "unknown field `hiden`": "[network]\nhidden = [2]\nhiden = [3]\n" + DATA,
    "unknown field `losss`": NETWORK + DATA + '[losss]\nkind = "softmax"\n',
    "relu is not smooth": NETWORK + 'activation = "relu"\n' + DATA,
    "abs is not smooth": NETWORK + 'activation = "abs(z)"\n' + DATA,
    "is not an activation; write tanh": NETWORK + "activation = \"__import__('os')\"\n" + DATA,
    "'z.__class__' is not an activation": NETWORK + 'activation = "z.__class__"\n' + DATA,
    "'y' is not an activation": NETWORK + 'activation = "tanh(y)"\n' + DATA,
    "does not depend on z": NETWORK + 'activation = "1 + 2"\n' + DATA,
    "the exponent": NETWORK + 'activation = "z**z"\n' + DATA,
    "the exponent '9999'": NETWORK + 'activation = "z**9999"\n' + DATA,
    "is not an activation": NETWORK + 'activation = "tanh(z"\n' + DATA,
    "a text of": NETWORK + f'activation = "{"z+" * 400}z"\n' + DATA,
    "network.bias": NETWORK + 'bias = "yes"\n' + DATA,
    "network.outputs: 1 outputs": NETWORK + "outputs = 1\n" + DATA,
    "network.outputs: -2 outputs": NETWORK + "outputs = -2\n" + DATA,
    "data.name: 'xnor' is not built in": NETWORK + '[data]\nname = "xnor"\n',
    "in no way or in several": NETWORK + '[data]\nname = "xor"\ncsv = "a.csv"\n',
    "come together": NETWORK + '[data]\ninputs = [["1"]]\n',
    "data.inputs: the data set is empty": NETWORK + "[data]\ninputs = []\ntargets = []\n",
    "floats are not exact": NETWORK + "[data]\ninputs = [[0.5]]\ntargets = [0]\n",
    "data.inputs[0][0]: 'nan'": NETWORK + '[data]\ninputs = [["nan"]]\ntargets = [0]\n',
    "data.inputs[0][1]: 'inf'": NETWORK + '[data]\ninputs = [["1", "inf"]]\ntargets = [0]\n',
    "divides by zero": NETWORK + '[data]\ninputs = [["1/0"]]\ntargets = [0]\n',
    "exponent 999999999": NETWORK + '[data]\ninputs = [["1e999999999"]]\ntargets = [0]\n',
    "data.inputs[1]: 1 numbers": NETWORK + '[data]\ninputs = [["1", "2"], ["1"]]\ntargets = [0, 1]\n',
    "1 targets for 2 inputs": NETWORK + '[data]\ninputs = [["1"], ["2"]]\ntargets = [0]\n',
    "data.targets[1]: label 2 is out of range": NETWORK + "outputs = 2\n" + INLINE.replace("[0, 1]", "[0, 2]"),
    "data.targets[0]: -1 is not a label": NETWORK + INLINE.replace("[0, 1]", "[-1, 1]"),
    "data.targets[0]: '0.5' is not a label": NETWORK + INLINE.replace("[0, 1]", '["0.5", 1]'),
    "data.targets[1]: label 2 is out of range; write 0 or 1": NETWORK
    + INLINE.replace("[0, 1]", "[0, 2]")
    + '[loss]\nkind = "logistic"\n',
    "loss.kind: 'hinge' is not known": NETWORK + DATA + '[loss]\nkind = "hinge"\n',
    "loss.penalty: -1/10 is negative": NETWORK + DATA + '[loss]\npenalty = "-0.1"\n',
    "loss.penalty: expected": NETWORK + DATA + "[loss]\npenalty = 1e-3\n",
    "loss.penalty: 'small'": NETWORK + DATA + '[loss]\npenalty = "small"\n',
    "loss.penalised: 'bias' is not known": NETWORK + DATA + '[loss]\npenalised = "bias"\n',
    "iris has labels": NETWORK + '[data]\nname = "iris"\n[loss]\nkind = "squared"\n',
}


@pytest.mark.parametrize("says", MALFORMED)
def test_a_malformed_spec_gives_one_line_that_names_what_is_wrong(says: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(MALFORMED[says], "file.toml", lambda name: "")
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert ";" in message, "the message must say what to write instead"


@given(specs())
def test_the_canonical_form_reads_back_with_the_same_digest(spec: LandscapeSpec) -> None:
    text = json.dumps(spec.canonical())
    assert LandscapeSpec.from_canonical(json.loads(text)).digest == spec.digest


def test_equal_questions_have_equal_digests_whatever_their_text() -> None:
    inline = (
        '[network]\nhidden=[2]\n[loss]\npenalty="1/1000"\n[data]\n'
        'inputs=[[0,0],["0.0",1],[1,"0"],[1,"1/1"]]\ntargets=[0,1,"1",0]'
    )
    assert parse_spec(inline, "other", lambda name: "").digest == builtin("xor").digest
    assert builtin("xor").with_(penalty="1e-4").digest != builtin("xor").digest
    assert builtin("xor-pm").digest != builtin("xor").digest


def test_decimal_text_is_the_rational_that_it_says() -> None:
    assert builtin("xor").with_(penalty="0.1").penalty == Fraction(1, 10)


def test_a_csv_file_is_read_beside_its_spec(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("a,b,label\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    (tmp_path / "net.toml").write_text(
        '[network]\nhidden = [2]\n[data]\ncsv = "points.csv"\n[loss]\npenalty = "1e-3"\n'
    )
    assert load_spec(tmp_path / "net.toml").digest == builtin("xor").digest


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("a,b\n1,2\n", "one column named label"),
        ("label\n1\n", "at least one input"),
        ("a,label\n1\n", "line 2: 1 cells"),
        ("a,label\n1,x\n", "column label: 'x' is not a label"),
        ("a,label\nq,1\n", "column a: 'q' is not a finite number"),
        ("a,label\n", "the data set is empty"),
    ],
)
def test_a_malformed_csv_gives_one_line_with_its_place(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_spec('[network]\nhidden = [2]\n[data]\ncsv = "a.csv"\n', "net", lambda name: text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.toml: cannot be read"):
        load_spec(tmp_path / "nowhere.toml")
    with pytest.raises(SpecError, match="neither built in"):
        load_spec("xorr")


def test_the_xor_network_has_five_parameters_a_node_and_two() -> None:
    for n in (1, 2, 7):
        assert builtin("xor").with_(hidden=(n,)).n_parameters == 5 * n + 2


def test_iris_is_fishers_table() -> None:
    spec = builtin("iris")
    assert (spec.n_samples, spec.n_inputs, spec.n_outputs) == (150, 4, 3)
    assert sum(row[2] for row in spec.data.inputs) == Fraction("563.7")


def test_floats_do_not_enter() -> None:
    with pytest.raises(SpecError, match="not exact"):
        builtin("xor").with_(penalty=0.1)
    with pytest.raises(SpecError, match="needs numbers"):
        builtin("xor").with_(loss=Loss.SQUARED)


def test_logistic_is_another_name_of_sigmoid() -> None:
    named, other = builtin("xor").with_(activation="z * logistic(z)"), builtin("xor").with_(activation="z * sigmoid(z)")
    assert named.digest == other.digest
    assert named.with_(activation="logistic").activation == "sigmoid"
