"""What people read: one self-contained HTML file, and tables in the terminal.

Everything here is made from stored documents as plain dictionaries; nothing is computed that the
store does not hold, except where things go on the page.
"""

from ninefold.report.files import check_report_path, write_report
from ninefold.report.page import render_report

__all__ = ["check_report_path", "render_report", "write_report"]
