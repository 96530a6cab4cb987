"""What people read: one self-contained HTML file, and tables in the terminal.

Everything here is made from stored documents as plain dictionaries; nothing is computed that the
store does not hold, except where things go on the page.
"""

from typing import TYPE_CHECKING, Any

from ninefold.report.written import check_report_path, write_report

if TYPE_CHECKING:
    from ninefold.report.page import render_report

__all__ = ["DEFAULT_TOP", "check_report_path", "render_report", "write_report"]

DEFAULT_TOP = 100
"""Candidates that a report shows, the best; about 25 kB each. The others are counted."""


def __getattr__(name: str) -> Any:  # the page needs numpy; a terminal table must not wait for it
    if name == "render_report":
        from ninefold.report.page import render_report

        return render_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
