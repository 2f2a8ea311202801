"""Reports: LaTeX with figures, written from a database alone."""

from symland.report.data import ReportData, collect
from symland.report.write import write_report

__all__ = ["ReportData", "collect", "write_report"]
