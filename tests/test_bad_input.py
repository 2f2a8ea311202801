"""Bad input gives one line on standard error and status 2, and changes no file that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import call

NETWORK = "[network]\nhidden = [1]\n"
FILES = {
    "junk": b"not a database",
    "notes.md": b"# Notes\n",
    "empty.json": b"",
    "list.json": b"[]",
    "other.json": b'{"format": "another"}',
    "deep.json": b"[" * 100_000,
    "seven.csv": b"x,label\n0,0\n1,1\n2,7\n",
    "seven.toml": (NETWORK + '[data]\ncsv = "seven.csv"\n').encode(),
    "nan.csv": b"x,label\n0,0\nNaN,1\n",
    "nan.toml": (NETWORK + '[data]\ncsv = "nan.csv"\n').encode(),
    "ragged.csv": b"x,label\n0,0\n1\n",
    "ragged.toml": (NETWORK + '[data]\ncsv = "ragged.csv"\n').encode(),
    "blank.csv": b"\n",
    "blank.toml": (NETWORK + '[data]\ncsv = "blank.csv"\n').encode(),
    "huge.csv": b"x,target\n0,1e400\n1,1\n",
    "huge.toml": (NETWORK + '[data]\ncsv = "huge.csv"\n[loss]\nkind = "squared"\n').encode(),
    "large.csv": b"x,target\n1e200,1\n1,1\n",
    "large.toml": (NETWORK + '[data]\ncsv = "large.csv"\n[loss]\nkind = "squared"\n').encode(),
    "pair.csv": b"x,x,label\n0,1,0\n1,1,1\n",
    "pair.toml": (NETWORK + '[data]\ncsv = "pair.csv"\n').encode(),
    "tiny.toml": (NETWORK + '[data]\ninputs = [["1e-400"], [1]]\ntargets = [0, 1]\n').encode(),
    "float.toml": (NETWORK + "[data]\ninputs = [[0.5], [1]]\ntargets = [0, 1]\n").encode(),
    "lost.toml": (NETWORK + '[data]\ncsv = "nowhere.csv"\n').encode(),
    "cut.toml": b"[network\n",
    "twice.toml": (NETWORK + NETWORK).encode(),
    "spelling.toml": (NETWORK + 'hiden = 1\n[data]\nname = "xor"\n').encode(),
    "utf16.toml": NETWORK.encode("utf-16"),
    "name.toml": ('name = "a\\nb"\n' + NETWORK + '[data]\nname = "xor"\n').encode(),
}
XOR = ["xor", "--hidden", "1", "--penalty", "1e-2"]
ONE = ["explore", *XOR, "--db", "{db}"]
NEW = ["--db", "new.sqlite"]

BAD = [
    # the command
    (["fly", "xor"], "fly"),
    (["run"], "SPEC"),
    (["run", "xor"], "--output"),
    (["show"], "--db"),
    (["derive", "xor", "--hiden", "3"], "--hiden"),
    (["derive", "xor", "--format", "word"], "--format"),
    # the question
    (["derive", "nowhere.toml"], "nowhere.toml: cannot be read"),
    (["derive", "xorr"], "neither built in"),
    (["derive", "folder"], "neither built in"),
    (["derive", "cut.toml"], "not TOML"),
    (["derive", "twice.toml"], "not TOML"),
    (["derive", "utf16.toml"], "not UTF-8"),
    (["derive", "spelling.toml"], "hiden"),
    (["derive", "float.toml"], "floats are not exact"),
    (["derive", "lost.toml"], "nowhere.csv: cannot be read"),
    (["derive", "name.toml"], "one line"),
    (["derive", "seven.toml"], "label 7 makes 8 classes, but none is 2"),
    (["derive", "nan.toml"], "nan.csv line 3 column x: 'NaN'"),
    (["derive", "ragged.toml"], "ragged.csv line 3"),
    (["derive", "blank.toml"], "blank.csv: the file is empty"),
    (["derive", "huge.toml"], "infinite in float64"),
    (["derive", "tiny.toml"], "data.inputs[0][0]: the number is (nearly) zero in float64"),
    (["explore", "large.toml", *NEW], "infinite in float64"),
    (["derive", "xor", "--hidden", "two"], "--hidden"),
    (["derive", "xor", "--hidden", "0"], "network.hidden[0]"),
    (["derive", "xor", "--hidden", "2,"], "--hidden"),
    (["derive", "xor", "--hidden", ""], "--hidden"),
    (["derive", "xor", "--hidden", "4097"], "from 1 to 4096"),
    (["derive", "xor", "--hidden", "100000"], "from 1 to 4096"),
    (["derive", "xor", "--penalty", "-1"], "negative"),
    (["derive", "xor", "--penalty", "nan"], "loss.penalty"),
    (["derive", "xor", "--penalty", "1/0"], "divides by zero"),
    (["explore", "xor", "--penalty", "1e400", *NEW], "infinite in float64"),
    (["explore", "xor", "--penalty", "1e-400", *NEW], "zero in float64"),
    (["explore", "xor", "--penalty", "1e-310", *NEW], "zero in float64"),
    (["derive", "xor", "--penalty", "1e9999"], "out of range"),
    (["derive", "pair.toml"], "two columns are named 'x'"),
    # whole, finite, not negative, not empty: for every command alike
    (["refine", "--db", "{db}", "--digits", "1.5"], "no integer"),
    (["refine", "--db", "{db}", "--digits", "9" * 40], "no integer"),
    ([*ONE, "--seed", "1.5"], "no integer"),
    (["flatness", "--db", "{db}", "--seed", "-4"], "negative"),
    (["path", "0.5", "1", "--db", "{db}"], "no integer"),
    (["path", "0", "1", "--db", "{db}", "--temperature", "inf"], "no finite number"),
    (["flatness", "--db", "{db}", "--height", "nan"], "no finite number"),
    (["run", *XOR, "-o", ""], "the path is empty"),
    (["kernel", "xor", "-o", ""], "the path is empty"),
    (["draw", "tree", "--db", "{db}", "-o", "tree.pdf", "--levels", "999999999999999"], "levels"),
    (["flatness", "--db", "{db}", "--samples", "999999999999999"], "not enough memory"),
    (["perceptron", "--size", "33"], "at most 31"),
    (["prune", "--db", "{db}", "--narrower", "{db}"], "no other width"),
    (["connect", "0", "1", "--db", "{db}", "--attempts", "-3"], "negative"),
    (["connect", "--db", "{db}", "--budget", "soon"], "soon"),
    (["enumerate", "xor", "--activation", "sigmoid", *NEW], "one hidden layer of tanh nodes"),
    (["learning-coefficient", "--db", "{db}", "--width", "-1"], "positive"),
    (["geometry", "--db", "{db}", "--level", "1e-400"], "zero in float64"),
    (["follow", "--db", "{db}", "--from", "1e400"], "infinite in float64"),
    (["follow", "--db", "{db}", "--move", "0,0=1e400"], "infinite in float64"),
    (["follow", "--db", "{db}", "--move", "3,0=1/2", "--tubes"], "leave one of them out"),
    (["enumerate", "xor", "--penalty-from", "1", "--penalty-to", "1/2"], "write two numbers"),
    (["enumerate", "xor", "--hidden", "2,2", "--penalty-from", "0.01"], "one hidden layer of tanh nodes"),
    (["enumerate", "xor", "--penalty-from", "0.01", "--workers", "2"], "--workers"),
    (["posterior", "xor", "-o", "picture"], "pdf, png, svg"),
    # the activation
    (["derive", "xor", "--activation", "0*z"], "is a constant"),
    (["derive", "xor", "--activation", "sin(z)**2 + cos(z)**2"], "is a constant"),
    (["derive", "xor", "--activation", "relu"], "not smooth"),
    (["derive", "xor", "--activation", "__import__('os')"], "network.activation"),
    (["derive", "xor", "--activation", "1/z"], "every landscape begins at theta = 0"),
    (["derive", "xor", "--activation", "log(z)"], "every landscape begins at theta = 0"),
    (["derive", "xor", "--activation", "sqrt(z)"], "every landscape begins at theta = 0"),
    (["derive", "xor", "--activation", "sqrt(z**2)"], "every landscape begins at theta = 0"),
    (["derive", "xor", "--activation", "log(1+z)"], "smooth at every z"),
    (["derive", "xor", "--activation", "sqrt((1+z+z**2)**2)"], "Abs"),
    (["derive", "xor", "--activation", "tanh(z,)"], "network.activation"),
    (["derive", "xor", "--activation", "3"], "does not depend on z"),
    (["explore", "xor", "--activation", "exp(1e300*z)", *NEW], "infinite in float64"),
    # the database
    (["show", "--db", "nowhere.sqlite"], "nowhere.sqlite"),
    (["show", "--db", "junk"], "junk"),
    (["show", "--db", "folder"], "folder"),
    (["explore", "xor", "--db", "folder"], "folder is a directory"),
    (["explore", "xor", "--db", "nowhere/new.sqlite"], "cannot be opened"),
    (["explore", "xor", "--db", "junk"], "not a landscape database"),
    (["explore", "xor-pm", "--db", "{db}"], "{db}"),
    (["explore", "xor", "--hidden", "2", "--penalty", "1e-2", "--db", "{db}"], "hidden [1], not [2]; name"),
    (["explore", "xor-pm", "--hidden", "1", "--penalty", "1e-2", "--db", "{db}"], "those of xor-pm; name"),
    (["run", *XOR, "-o", "new", "--until", "soon"], "soon"),
    ([*ONE, "--until", "soon"], "soon"),
    ([*ONE, "--budget", "soon"], "soon"),
    ([*ONE, "--budget", "0s"], "0s"),
    ([*ONE, "--workers", "0"], "--workers"),
    ([*ONE, "--workers", "two"], "--workers"),
    ([*ONE, "--seed", "5"], "seed 0"),
    ([*ONE, "--from", "{db}"], "other starts"),
    ([*ONE, "--from", "nowhere.sqlite"], "nowhere.sqlite"),
    ([*ONE, "--searches", "0"], "--searches"),
    ([*ONE, "--max-index", "-1"], "max"),
    (["import", "xor", "nowhere", *NEW], "nowhere"),
    (["import", "xor", "folder", *NEW], "min.data"),
    (["run", "xor", "-o", "junk"], "junk"),
    # questions of a landscape
    (["refine", "--db", "{db}", "--digits", "many"], "--digits"),
    (["refine", "--db", "{db}", "--digits", "0"], "digits"),
    (["refine", "--db", "{db}", "--digits", "10000000"], "1000000"),
    (["certify", "--db", "{db}", "-o", "notes.md"], "notes.md"),
    (["embed", "--db", "{db}", "--to", "1"], "--to"),
    (["embed", "--db", "{db}", "--to", "2", "--layer", "3"], "--layer"),
    (["embed", "--to", "3"], "--db FILE"),
    (["embed", "notes.md", "--to", "3"], "neither a certificate"),
    (["enumerate"], "no question"),
    (["enumerate", "--db", "{db}", "--audit", "2"], "--audit"),
    (["enumerate", "--db", "{db}", "--budget", "soon"], "soon"),
    (["map", "{db}"], "at least 2"),
    (["map", "{db}", "nowhere.sqlite"], "nowhere.sqlite"),
    (["connect", "0", "--db", "{db}"], "write two"),
    (["connect", "0", "5", "--db", "{db}"], "class 5 is not a minimum"),
    (["connect", "0", "0", "--db", "{db}"], "two classes"),
    (["path", "0", "99", "--db", "{db}"], "99"),
    (["path", "0", "99", "--db", "{db}"], "class 99"),
    (["path", "0", "1", "--db", "{db}", "--temperature", "0"], "temperature"),
    (["path", "0", "1", "--db", "{db}", "--temperature", "nan"], "temperature"),
    (["draw", "tree", "--db", "{db}", "-o", "tree.gif"], "pdf, png, svg"),
    (["draw", "tree", "--db", "{db}", "-o", "tree.pdf", "--levels", "0"], "levels"),
    (["draw", "tree", "--db", "{db}", "-o", "tree.pdf", "--colour", "red"], "red"),
    (["draw", "tree", "--db", "{db}", "-o", "junk/tree.pdf"], "junk"),
    (["draw", "slice", "--db", "{db}", "-o", "slice.pdf"], "--of"),
    (["draw", "network", "--db", "{db}", "-o", "net.pdf", "--of", "99"], "class 99"),
    (["draw", "pie", "--db", "{db}", "-o", "pie.pdf"], "pie"),
    (["report", "--db", "{db}", "-o", "notes.md"], "notes.md"),
    (["export", "--db", "{db}", "-o", "notes.md"], "notes.md"),
    # kernels, certificates, proofs
    (["kernel", "xor"], "--output"),
    (["kernel", "xor", "--target", "fortran", "-o", "k"], "--target"),
    (["kernel", "xor", "--target", "c", "-o", "notes.md"], "notes.md"),
    (["check"], "no files"),
    (["check", "nowhere.json"], "nowhere.json"),
    (["check", "folder"], "folder"),
    (["check", "notes.md"], "notes.md: neither a certificate"),
    (["check", "empty.json"], "neither a certificate"),
    (["check", "list.json"], "neither a certificate"),
    (["check", "other.json"], "neither a certificate"),
    (["check", "deep.json"], "neither a certificate"),
    (["prove", "nowhere.py"], "nowhere.py"),
    (["prove", "notes.md"], "notes.md"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("known") / "xor.sqlite"
    assert call("explore", *XOR, "--db", str(path)) == 0
    return path


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str],
    says: str,
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    before = database.read_bytes()
    capsys.readouterr()
    status = call(*(a.format(db=database) for a in arguments))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("symland: ")
    assert captured.err.count("\n") == 1
    assert says.format(db=database) in captured.err
    assert status == 2
    assert database.read_bytes() == before
    # A kernel that cannot be built is found out by the first search: the file of a landscape without classes is left.
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert {name: content for name, content in left.items() if name != "new.sqlite"} == FILES
    assert "new.sqlite" not in left or says == "infinite in float64"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["folder"]
