"""The application object, and its help."""

from __future__ import annotations

from cyclopts import App

__all__ = ["app"]

app = App(
    name="symland",
    help="Exact loss landscapes of small neural networks.",
    help_format="markdown",
    version_flags=["--version"],
    # `main` says what an interrupted command has kept.
    suppress_keyboard_interrupt=False,
)
app.register_install_completion_command()
