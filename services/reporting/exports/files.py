"""CSV, XLSX and Parquet files of rows that come in batches. Not for the event loop: writing takes the processor."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import IO, Any, Final, Literal, Protocol

import xlsxwriter
from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet

from contracts.money import Money
from services.reporting.exports.tables import Cell, Column, Kind, Row
from shared.formulas import is_formula, quoted

Format = Literal["csv", "xlsx", "parquet"]
# The digits of amounts and of figures that are no money, in a column whose currencies have different ones.
PARQUET_DIGITS: Final = 4
_DECIMAL: Final = DataType.decimal128(24, PARQUET_DIGITS)
_TYPES: Final[Mapping[Kind, DataType]] = {
    "text": DataType.utf8(),
    "day": DataType.date32(),
    "count": DataType.int64(),
    "money": _DECIMAL,
    "decimal": _DECIMAL,
}


class File(Protocol):
    """A file in the making; after `end` it is whole in what it was made for."""

    media_type: str

    def rows(self, rows: Sequence[Row]) -> None: ...

    def end(self) -> None: ...


class CsvFile:
    """RFC 4180 with a byte order mark, so that spreadsheets read it as UTF-8."""

    media_type = "text/csv; charset=utf-8"

    def __init__(self, target: IO[bytes], columns: Sequence[Column], about: Mapping[str, str]) -> None:
        self._target, self._columns = target, columns
        target.write(b"\xef\xbb\xbf")
        self._write([[c.name for c in columns]])

    def rows(self, rows: Sequence[Row]) -> None:
        self._write([[_csv_cell(c, v) for c, v in zip(self._columns, row, strict=True)] for row in rows])

    def end(self) -> None:
        pass

    def _write(self, rows: Sequence[Sequence[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        self._target.write(text.getvalue().encode())


def _plain(value: Cell) -> str:
    return value.amount if isinstance(value, Money) else str(value)


def _csv_cell(column: Column, value: Cell) -> str:
    if value is None:
        return ""
    return quoted(_plain(value)) if column.kind == "text" else _plain(value)


class XlsxFile:
    """A workbook with the table and what it is about. Texts are texts, never formulas or links."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, target: IO[bytes], columns: Sequence[Column], about: Mapping[str, str]) -> None:
        self._book = xlsxwriter.Workbook(target, {"constant_memory": True})
        self._columns, self._row = columns, 1
        bold = self._book.add_format({"bold": True})
        self._risky = self._book.add_format({"quote_prefix": True})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._money = [self._book.add_format({"num_format": "0." + "0" * n if n else "0"}) for n in range(5)]
        said = self._book.add_worksheet("About")
        for i, (name, text) in enumerate(about.items()):
            said.write_string(i, 0, name, bold)
            said.write_string(i, 1, text, self._risky if is_formula(text) else None)
        said.set_column(0, 1, 24)
        self._sheet = self._book.add_worksheet("Report")
        self._sheet.activate()
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(columns) - 1, 14)
        for i, c in enumerate(columns):
            self._sheet.write_string(0, i, c.name, bold)

    def rows(self, rows: Sequence[Row]) -> None:
        for row in rows:
            for i, (column, value) in enumerate(zip(self._columns, row, strict=True)):
                if value is not None:
                    self._write(i, column.kind, value)
            self._row += 1

    def _write(self, at: int, kind: Kind, value: Cell) -> None:
        if isinstance(value, Money):
            digits = len(value.amount.partition(".")[2])
            # 15 digits, which is as much as any amount has, are exact in a double
            self._sheet.write_number(self._row, at, float(value.amount), self._money[digits])
        elif isinstance(value, date):
            self._sheet.write_datetime(self._row, at, value, self._day)
        elif kind in ("count", "decimal"):
            self._sheet.write_number(self._row, at, float(Decimal(str(value))))
        else:
            text = str(value)
            self._sheet.write_string(self._row, at, text, self._risky if is_formula(text) else None)

    def end(self) -> None:
        self._book.close()


class ParquetFile:
    """Columns with types: days are dates, amounts decimals of four digits, beside their currency's column."""

    media_type = "application/vnd.apache.parquet"

    def __init__(self, target: IO[bytes], columns: Sequence[Column], about: Mapping[str, str]) -> None:
        self._target, self._columns, self._about = target, columns, about
        self._schema = Schema([Field(c.name, _TYPES[c.kind], nullable=True) for c in columns])
        self._batches: list[RecordBatch] = []

    def rows(self, rows: Sequence[Row]) -> None:
        arrays = [_array(c.kind, [row[i] for row in rows]) for i, c in enumerate(self._columns)]
        self._batches.append(RecordBatch.from_arrays(arrays, schema=self._schema))

    def end(self) -> None:
        reader = RecordBatchReader.from_batches(self._schema, self._batches)
        write_parquet(reader, self._target, compression="zstd(1)", key_value_metadata=dict(self._about))


def _array(kind: Kind, values: Sequence[Cell]) -> Array:
    if kind == "count":
        return Array(values, type=_TYPES[kind])
    # arrays of dates and decimals are made from their texts
    texts: list[Any] = [None if v is None else _plain(v) for v in values]
    return Array(texts, type=DataType.utf8()).cast(_TYPES[kind])


FILES: Final[Mapping[Format, type[CsvFile] | type[XlsxFile] | type[ParquetFile]]] = {
    "csv": CsvFile,
    "xlsx": XlsxFile,
    "parquet": ParquetFile,
}
