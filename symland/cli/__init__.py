"""The command line: `symland VERB ...`. Messages and progress go to standard error, results to standard output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from cyclopts import CycloptsError

from symland.analysis import QUESTIONS
from symland.cli import (  # noqa: F401 - their verbs register themselves
    ask,
    atlas,
    chain,
    condense,
    data,
    exchange,
    geometry,
    paths,
    perceptron,
    questions,
    replicas,
    study,
    temperature,
    tools,
)
from symland.cli.app import app
from symland.cli.display import Progress
from symland.errors import SymlandError

__all__ = ["app", "main"]

BAD_INPUT = 2
"""Exit status for input that the user can mend."""

INTERRUPTED = 130
"""Exit status after Ctrl-C or a request to end."""


RESUMED = frozenset(("run", "explore", "connect", "study", "refine", "certify", "enumerate", "follow"))
"""Verbs that keep what they have found as they go; which questions of `ask` do they say themselves."""

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Matrices here have some dozens of rows: more threads in their linear algebra only wait for one another."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 a proof or check that did not hold, 2 bad input.

    A request to end, as a batch system sends it, is answered like Ctrl-C. Linear algebra runs on one thread, here and
    in worker processes, unless the environment says otherwise.
    """
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(_status(sys.argv[1:] if arguments is None else list(arguments)))


def _status(arguments: Sequence[str]) -> int:
    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except SymlandError as error:
        return _fail(str(error))
    except CycloptsError as error:
        return _fail(
            f"{str(error).rstrip('.')}; see `symland {' '.join(error.command_chain or ())} --help`".replace("  ", " ")
        )
    except BrokenPipeError:
        # The reader of standard output has gone, as `head` does: nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(
            f"{error.filename or 'input or output'}: {error.strerror or error}; check the path, space and rights"
        )
    except MemoryError as error:
        return _fail(f"there is not enough memory ({str(error)[:200] or 'no more is left'}); ask for smaller numbers")
    except KeyboardInterrupt:
        what = "goes on where it was" if _goes_on(arguments) else "begins anew"
        Progress.stop_all()
        print(f"symland: interrupted; the same command {what}", file=sys.stderr)
        return INTERRUPTED
    finally:
        Progress.stop_all()
    return result if isinstance(result, int) else 0


def _goes_on(arguments: Sequence[str]) -> bool:
    """Whether a command that is interrupted keeps what it has found."""
    if arguments[:1] == ["ask"]:
        return any(question.resumable for question in QUESTIONS if question.name in arguments[1:2])
    return not RESUMED.isdisjoint(arguments[:1])


def _fail(message: str) -> int:
    Progress.stop_all()
    print(f"symland: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT
