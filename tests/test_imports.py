"""Arrows run one way: no file imports another that leads back to it, not even for its types."""

from __future__ import annotations

import ast
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).parent.parent


def imports(package: Path) -> nx.DiGraph:
    """Modules of a package, with an edge to each that is imported anywhere in the file."""
    modules = {}
    for path in package.rglob("*.py"):
        name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        modules[name.removesuffix(".__init__")] = path
    graph = nx.DiGraph()
    for module, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                found = [name if name in modules else node.module for name in names]
            elif isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            else:
                continue
            graph.add_edges_from((module, target) for target in found if target in modules and target != module)
    return graph


def circles(graph: nx.DiGraph) -> list[list[str]]:
    return [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]


def test_no_circle_between_files() -> None:
    graph = imports(ROOT / "symland")
    assert len(graph) > 200
    assert circles(graph) == []


def test_a_circle_through_types_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "made"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text("from made.two import A\n")
    (package / "two.py").write_text("if TYPE_CHECKING:\n    from made import one\n")
    assert circles(imports(package)) == [["made.one", "made.two"]]
