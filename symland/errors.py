"""Every error that symland raises on purpose.

A message is one line: what is wrong, what came, and what to write instead. The command line prints it without a
traceback and exits with status 2.
"""

from __future__ import annotations

__all__ = [
    "CertificateError",
    "DatabaseError",
    "ExplorationError",
    "KernelError",
    "ProofError",
    "RefinementError",
    "ReportError",
    "SpecError",
    "SymlandError",
    "VerificationError",
]


class SymlandError(Exception):
    """Root of the errors that a user can mend."""


class SpecError(SymlandError):
    """A specification that does not describe a network, its data, loss and penalty."""

    @classmethod
    def at(cls, path: str, wrong: str, advice: str) -> SpecError:
        """Name the key path, what came, and what to write instead."""
        return cls(f"{path}: {wrong}; {advice}")


class KernelError(SymlandError):
    """A kernel that cannot be built or was called with arrays that it does not take."""


class VerificationError(KernelError):
    """A kernel that was built and does not compute what its program says."""


class ExplorationError(SymlandError):
    """An exploration asked for in a way that cannot be carried out."""


class DatabaseError(SymlandError):
    """A database that cannot be read, or does not belong to this specification."""


class RefinementError(SymlandError):
    """A point that Newton's method does not bring to a stationary point."""


class CertificateError(SymlandError):
    """A certificate that does not say what it must say."""


class ProofError(SymlandError):
    """A theorem file that does not hold a theorem, or a proof that cannot be read."""


class ReportError(SymlandError):
    """A report that cannot be written."""

    @classmethod
    def unwritable(cls, path: object, error: OSError) -> ReportError:
        """Name the file, what the system says of it, and where to write instead."""
        return cls(f"{path}: cannot be written ({error.strerror or error}); give a folder that you may write to")
