"""Reports: LaTeX with figures, written from databases alone."""

from symland.report.data import ReportData, collect
from symland.report.family import write_family
from symland.report.write import write_report

__all__ = ["ReportData", "collect", "write_family", "write_report"]
