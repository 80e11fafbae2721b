"""Tables out of files: CSV, XLSX, NDJSON and Parquet, opened by what they are and not by what their name says.

    with open_sheet(path, "现金日记账.xlsx") as sheet:
        sheet.headers
        for row in sheet.rows():
            ...  # Row, or RejectedRow with its reason
"""

from app.records.sheets.base import Notice, RejectedRow, Row, Sheet, SheetError
from app.records.sheets.opening import open_sheet

__all__ = ["Notice", "RejectedRow", "Row", "Sheet", "SheetError", "open_sheet"]
