"""CSV and XLSX, written row by row: however many orders there are, only the rows at hand are in memory."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from xml.sax.saxutils import escape

from services.order.papers.cells import COLUMNS, Column, moment
from shared.formulas import is_formula, quoted

# Excel's own limit is 1,048,576 rows with the heading.
MOST_ROWS: Final = 1_000_000
_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
_NOT_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PLAIN, _HEADING, _TIME, _AMOUNT, _QUOTED, _WHOLE, _THOUSANDTHS, _TEN_THOUSANDTHS = range(8)
# how an amount is shown, by the decimals that its currency has
_AMOUNTS: Final = {0: _WHOLE, 3: _THOUSANDTHS, 4: _TEN_THOUSANDTHS}


class Sheet(Protocol):
    """A file in the making: `rows` and `end` give the bytes that are ready."""

    media_type: str

    def begin(self) -> bytes: ...

    def rows(self, cards: Sequence[Mapping[str, Any]]) -> bytes: ...

    def end(self) -> bytes: ...


class CsvSheet:
    """RFC 4180 with a byte order mark, so that spreadsheets read it as UTF-8."""

    media_type = "text/csv; charset=utf-8"

    def begin(self) -> bytes:
        return b"\xef\xbb\xbf" + self._write([[c.heading for c in COLUMNS]])

    def rows(self, cards: Sequence[Mapping[str, Any]]) -> bytes:
        return self._write([[_csv_cell(c, card) for c in COLUMNS] for card in cards])

    def end(self) -> bytes:
        return b""

    @staticmethod
    def _write(rows: Sequence[Sequence[Any]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()


def _csv_cell(column: Column, card: Mapping[str, Any]) -> Any:
    value = column.of(card)
    if value is None:
        return ""
    return quoted(str(value)) if column.kind == "text" else value


class _Pipe(io.RawIOBase):
    """What the archive writes, until it is taken away."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


class XlsxSheet:
    """An Office Open XML workbook. Texts are in-line texts, never formulas; risky ones also carry the quote mark."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self) -> None:
        self._pipe = _Pipe()
        self._archive = zipfile.ZipFile(self._pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._sheets = 0
        self._row = 0
        self._sheet: Any = None

    def begin(self) -> bytes:
        self._open()
        return self._pipe.take()

    def rows(self, cards: Sequence[Mapping[str, Any]]) -> bytes:
        for card in cards:
            if self._row > MOST_ROWS:
                self._close()
                self._open()
            self._row += 1
            self._sheet.write(_xml_row([_xml_cell(c, card) for c in COLUMNS]))
        return self._pipe.take()

    def end(self) -> bytes:
        self._close()
        for name, text in _parts(self._sheets).items():
            self._archive.writestr(name, text)
        self._archive.close()
        return self._pipe.take()

    def _open(self) -> None:
        self._sheets += 1
        self._row = 1
        self._sheet = self._archive.open(f"xl/worksheets/sheet{self._sheets}.xml", "w", force_zip64=True)
        self._sheet.write(_SHEET_BEGIN)
        self._sheet.write(_xml_row([_text_cell(c.heading, _HEADING) for c in COLUMNS]))

    def _close(self) -> None:
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()


def _xml_row(cells: Sequence[str]) -> bytes:
    return f"<row>{''.join(cells)}</row>".encode()


def _xml_cell(column: Column, card: Mapping[str, Any]) -> str:
    value = column.of(card)
    if value is None:
        return "<c/>"
    if column.kind == "amount":
        style = _AMOUNTS.get(len(value.partition(".")[2]), _AMOUNT)
        return f'<c s="{style}"><v>{value}</v></c>'
    if column.kind == "number":
        return f"<c><v>{value}</v></c>"
    if column.kind == "time":
        days = (moment(value) - _EPOCH).total_seconds() / 86_400
        return f'<c s="{_TIME}"><v>{days:.6f}</v></c>'
    return _text_cell(str(value), _QUOTED if is_formula(str(value)) else _PLAIN)


def _text_cell(text: str, style: int) -> str:
    clean = escape(_NOT_XML.sub("\ufffd", text))
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{clean}</t></is></c>'


_NS: Final = "http://schemas.openxmlformats.org"
_MAIN: Final = f"{_NS}/spreadsheetml/2006/main"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET_BEGIN: Final = (
    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    f'<cols><col min="1" max="{len(COLUMNS)}" width="18" customWidth="1"/></cols><sheetData>'
).encode()
_STYLES: Final = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="#,##0.000"/><numFmt numFmtId="166" formatCode="#,##0.0000"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="8"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/>'
    '<xf numFmtId="3" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="166" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def _parts(sheets: int) -> dict[str, str]:
    """Everything of the workbook but its sheets."""
    rels, types = f"{_NS}/package/2006/relationships", f"{_NS}/package/2006/content-types"
    office, kind = f"{_NS}/officeDocument/2006/relationships", "application/vnd.openxmlformats-officedocument"
    numbers = range(1, sheets + 1)
    names = "".join(f'<sheet name="Orders {n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.spreadsheetml.worksheet+xml"/>'
        for n in numbers
    )
    return {
        "xl/styles.xml": _STYLES,
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{rels}">{links}'
        f'<Relationship Id="rId{sheets + 1}" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{rels}"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{types}">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.spreadsheetml.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kind}.spreadsheetml.styles+xml"/>{overrides}</Types>',
    }
