"""The run folder as a page: `write_report(ladder, folder)`."""

from landmass.report.page import write_report

__all__ = ["write_report"]
