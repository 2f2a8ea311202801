"""The atlas shows a database digit for digit, asks nothing of a network, and every link leads where it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symland.analysis import follow
from symland.analysis.answers import put_answer
from symland.atlas import write_atlas
from symland.cli import main
from symland.datasets import make_data
from symland.errors import DatabaseError, ReportError
from symland.figures.networks import network_outputs
from symland.landscape.database import Database
from symland.landscape.exchange import write_csv
from symland.records import Verdict
from symland.spec import Loss, builtin
from tests.atlas.browser import Visit, Visits
from tests.report.invented import fill, make_database

XOR = builtin("xor").with_(hidden=(2,), penalty="1e-2")
ODD = builtin("xor").with_(
    hidden=(2, 3), activation="z*erf(z) + softplus(-z)/2 - exp(-z**2)", penalty="1/7", bias=False
)


def values_of(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Two landscapes that differ in the penalty, and one of another network; with answers, certificates and a tree."""
    path = tmp_path / "a b.html"
    specs = {"low": XOR, "high": XOR.with_(penalty="1/50"), "odd": ODD}
    databases = [make_database(tmp_path / f"{name}.sqlite", spec) for name, spec in specs.items()]
    fill(databases[0])
    write_atlas(databases, path, title="</title> & <b>more</b>")
    for database in databases:
        database.close()
    return path


def test_numbers_are_those_of_the_database_digit_for_digit(page: Path, tmp_path: Path) -> None:
    lands = values_of(page)["landscapes"]
    for land, name in zip(lands, ("low", "high", "odd"), strict=True):
        with Database.open(tmp_path / f"{name}.sqlite") as database:
            points, certificates = database.points(), database.certificates()
        assert len(land["classes"]) == len(points)
        for shown, point in zip(land["classes"], points, strict=True):
            assert (shown["loss"], shown["index"], shown["orbit"]) == (point.loss, point.index, str(point.orbit_size))
            assert shown["theta"] == point.theta.tolist()
            assert shown["spectrum"] == point.spectrum.tolist()
            held = certificates.get(shown["number"])
            assert (shown["certificate"] is None) == (held is None)
            if held is not None:
                assert shown["certificate"]["seal"] == held.to_dict()["seal"]
                assert shown["enclosure"] == (None if held.loss is None else list(held.loss))
    assert {a["name"] for a in lands[0]["answers"]} >= {"completeness", "embedding"}


def test_a_page_is_small_and_names_no_address(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    without = re.sub(r'<script id="data".*?</script>', "", text, flags=re.DOTALL)
    assert len(without.encode()) < 400_000
    assert set(re.findall(r"https?://[^\"' >]+", without)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in without
    assert "<b>more</b>" not in without


def test_what_cannot_be_shown_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ReportError, match="at least one"):
        write_atlas([], tmp_path / "none.html")
    Database.create(tmp_path / "empty.sqlite", XOR).close()
    with Database.open(tmp_path / "empty.sqlite") as empty, pytest.raises(DatabaseError, match="run `symland explore`"):
        write_atlas([empty], tmp_path / "none.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SystemExit) as caught:
        main(["atlas", "--db", str(tmp_path / "folder"), "-o", str(tmp_path / "none.html")])
    assert caught.value.code == 2
    assert "without a database" in capsys.readouterr().err
    assert not (tmp_path / "none.html").exists()


def test_a_folder_is_shown_in_the_order_of_widths_and_penalties(tmp_path: Path) -> None:
    for name, spec in (("a", XOR), ("b", XOR.with_(hidden=(1,), penalty="1/1000")), ("c", XOR.with_(hidden=(1,)))):
        make_database(tmp_path / f"{name}.sqlite", spec).close()
    with pytest.raises(SystemExit) as caught:
        main(["atlas", "--db", str(tmp_path), "-o", str(tmp_path / "atlas.html")])
    assert caught.value.code == 0
    shown = [(land["spec"]["hidden"], land["penalty"]) for land in values_of(tmp_path / "atlas.html")["landscapes"]]
    assert shown == [([1], "1/100"), ([1], "1/1000"), ([2], "1/100")]


def settled(seen: Visit) -> None:
    seen.page.evaluate("new Promise((r) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(r)), 0))")


def test_every_view_opens_in_a_browser_without_a_word_or_a_request(page: Path, visit: Visits) -> None:
    with visit(page) as seen:
        tabs = [b.inner_text() for b in seen.page.query_selector_all("#tabs button")]
        assert tabs == ["Overview", "Tree", "Classes", "Network", "Regions", "Pathways", "Answers"]
        for land in range(3):
            for tab in tabs:
                seen.page.evaluate(f"location.hash = '#/{land}/tree/1'")
                seen.page.click(f"#tabs button:text-is('{tab}')")
                settled(seen)
                assert seen.page.inner_text("#tabs [aria-current=page]") == tab
                for href in {a.get_attribute("href") for a in seen.page.query_selector_all("main a")}:
                    assert re.fullmatch(r"#/[0-2]/(tree|list|network|regions|paths)/\d+", href or "")
                    seen.page.evaluate(f"location.hash = '{href}'")
                    settled(seen)
                    assert seen.page.evaluate("location.hash") == href
                    _, place, _, pick = href.split("/")
                    assert seen.page.evaluate("[state.land, state.pick]") == [int(place), int(pick)]
        assert seen.said == []
        assert [url for url in seen.asked if not url.startswith("file:")] == []
        assert len(seen.asked) == 1


def test_selection_is_linked_and_keys_and_search_work(page: Path, visit: Visits) -> None:
    with visit(page) as seen:
        seen.page.evaluate("location.hash = '#/0/tree/0'")
        settled(seen)
        seen.page.click("svg [data-class='1']")
        settled(seen)
        assert seen.page.evaluate("location.hash") == "#/0/tree/1"
        assert "Class 1" in seen.page.inner_text("#card h2")
        seen.page.keyboard.press("ArrowDown")
        seen.page.keyboard.press("3")
        settled(seen)
        assert seen.page.evaluate("location.hash") == "#/0/list/2"
        seen.page.keyboard.press("/")
        seen.page.keyboard.type("saddle of index 2")
        settled(seen)
        assert [r.get_attribute("data-class") for r in seen.page.query_selector_all("tbody tr[data-class]")] == ["4"]
        seen.page.keyboard.press("Enter")
        settled(seen)
        assert seen.page.evaluate("location.hash") == "#/0/list/4"
        # The slider goes through the penalties of one network.
        seen.page.evaluate("(() => { const s = $('slider'); s.value = s.max; s.dispatchEvent(new Event('input')); })()")
        settled(seen)
        assert seen.page.evaluate("land().penalty") == "1/50"
        assert not seen.said


@pytest.mark.parametrize("number", [0, 2])
def test_the_network_in_the_page_computes_what_the_package_does(
    page: Path, tmp_path: Path, number: int, visit: Visits
) -> None:
    rng = np.random.default_rng(number)
    name = ("low", "high", "odd")[number]
    with Database.open(tmp_path / f"{name}.sqlite") as database, visit(page) as seen:
        spec, points = database.spec, database.points()
        inputs = rng.normal(size=(20, 2)) * 3
        for point in points[:3]:
            wanted = network_outputs(spec, point.theta, inputs)
            script = f"network(LANDS[{number}], {point.theta.tolist()})"
            found = np.array(seen.page.evaluate(f"{json.dumps(inputs.tolist())}.map((x) => {script}(x).at(-1))"))
            assert np.abs(found - wanted).max() < 1e-12 * (1 + np.abs(wanted).max())
        seen.page.evaluate(f"location.hash = '#/{number}/network/1'")
        settled(seen)
        # Dragging the cross moves the inputs, and the outputs with them.
        before = seen.page.inner_text("#view dl")
        box = seen.page.query_selector("canvas").bounding_box()
        seen.page.mouse.move(box["x"] + 30, box["y"] + 40)
        seen.page.mouse.down()
        seen.page.mouse.move(box["x"] + 60, box["y"] + 200, steps=4)
        seen.page.mouse.up()
        x = [float(v) for v in seen.page.evaluate("state.probe")]
        shown = seen.page.inner_text("#view dl")
        assert shown != before
        z = network_outputs(spec, points[1].theta, np.array([x]))[0]
        texts = re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", shown.split("outputs")[1].split("\n")[1])
        assert [float(t) for t in texts] == pytest.approx(z.tolist(), rel=1e-4, abs=1e-8)
        assert not seen.said


FRAME = 50.0
"""Milliseconds in which a view is drawn ..."""
LOOP = 2.5
"""... on a machine that has nothing else to do and takes so long for `COUNTING`."""
COUNTING = """(() => {
  const t = performance.now();
  for (let i = 0, s = 0; i < 2e5; i++) s += Math.sin(i);
  return performance.now() - t;
})()"""


def test_a_regression_and_many_classes_stay_fluid(tmp_path: Path, visit: Visits) -> None:
    data = make_data("line", [["0"], ["1"], ["2"]], [["0"], ["1/2"], ["1"]], classify=False)
    regression = XOR.with_(data=data, loss=Loss.SQUARED, outputs=0, hidden=(1,))
    many = tuple(int(k) for k in np.random.default_rng(0).integers(0, 4, 1205))
    databases = [
        make_database(tmp_path / "many.sqlite", XOR, many),
        make_database(tmp_path / "line.sqlite", regression),
    ]
    path = write_atlas(databases, tmp_path / "atlas.html")
    for database in databases:
        database.close()
    with visit(path) as seen:
        times = {}
        for view in ("tree", "list", "network", "regions", "paths"):
            seen.page.evaluate(f"location.hash = '#/0/{view}/7'")
            settled(seen)
            clock = "(() => { const t = performance.now(); draw(); return performance.now() - t; })()"
            # In turns with work that is always the same: what else the machine does is not the page's.
            taken, counted = zip(
                *((seen.page.evaluate(clock), seen.page.evaluate(COUNTING)) for _ in range(9)), strict=True
            )
            times[view] = min(taken) * min(1.0, LOOP / min(counted))
            seen.page.evaluate(f"location.hash = '#/1/{view}/1'")
            settled(seen)
        assert max(times.values()) < FRAME, times
        assert not seen.said


def test_the_table_of_classes_says_what_an_export_says(page: Path, tmp_path: Path) -> None:
    with Database.open(tmp_path / "low.sqlite") as database:
        write_csv(tmp_path / "csv", database.landscape())
    losses = [
        line.split(",") for line in (tmp_path / "csv" / "classes.csv").read_text(encoding="utf-8").splitlines()[1:]
    ]
    shown = [c["loss_text"] for c in values_of(page)["landscapes"][0]["classes"]]
    assert all(any(text in row for row in losses) for text in shown)


def test_the_slider_of_a_diagram_says_the_counts_of_its_interval(tmp_path: Path, visit: Visits) -> None:
    branch = follow.Branch(
        isotropy=1, copies=2, classes=(0,), start="range", end="fold",
        parameter=(1e-3, 5e-3, 1e-2), loss=(0.3, 0.4, 0.5), norm=(1.0, 1.0, 1.0),
        index=(0, 0, 1), lowest=((0.1,), (0.1,), (-0.1,)),
    )  # fmt: skip
    intervals = tuple(
        follow.Interval(low=low, high=high, counts=counts, copies=counts, morse_sum=1, proved=False)
        for low, high, counts in (("1e-3", "5e-3", (3, 2)), ("5e-3", "inf", (1,)))
    )
    answer = follow.Follow(
        parameter="penalty", low="1e-3", high="1e-2", events=(), maxwell=(), intervals=intervals, branches=(branch,),
        found_anew=0, verdict=Verdict.UNDECIDED,
    )  # fmt: skip
    with make_database(tmp_path / "a.sqlite", XOR) as database:
        put_answer(database, follow.QUESTION, answer)
        path = write_atlas([database], tmp_path / "atlas.html", figures=False)
    with visit(path) as seen:
        seen.page.evaluate("location.hash = '#/0/branches/0'")
        settled(seen)
        assert len(seen.page.query_selector_all("#view polyline")) == 2
        for place, said in ((-2.9, "3 minima, 2 transition states"), (-2.1, "1 minimum")):
            seen.page.evaluate(f"$('at').value = {place}; $('at').dispatchEvent(new Event('input'))")
            settled(seen)
            assert said in seen.page.inner_text("#view output")
        assert not seen.said
