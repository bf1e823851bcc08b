"""Conversion of files to pages of plain text: HTML (with trafilatura), Markdown, reStructuredText, plain text and JSONL rows.

TeX files are kept unchanged (`passages` handles their environments). A page consists of paragraphs separated by empty lines, with
mathematics as TeX.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import lxml.html
import msgspec
import trafilatura

FORMATS = {".html": "html", ".htm": "html", ".xhtml": "html", ".md": "md", ".markdown": "md", ".rst": "rst", ".tex": "tex", ".txt": "txt"}
ROWS = ".jsonl"
SUFFIXES = (*FORMATS, ROWS)

_LARGEST = 32 << 20  # maximum bytes of a file that is read as a whole
_SPDX = re.compile(r"SPDX-License-Identifier:\s*([\w.+-]+)")


class Unreadable(ValueError):
    """No text can be extracted from a file or row; the message is the reason."""


class Page(msgspec.Struct, frozen=True):
    """Page of plain text. `where` is the file, with the row for JSONL; `url` and `licence` are empty if the page states none."""

    text: str
    markup: Literal["text", "tex"]
    where: str
    url: str = ""
    licence: str = ""


class _Row(msgspec.Struct):
    """Row of crawled text: `text`, or `html` to be extracted."""

    text: str = ""
    html: str = ""
    url: str = ""
    licence: str = ""
    license: str = ""


def read_pages(path: Path, name: str) -> Iterator[Page | Unreadable]:
    """Yield the pages of one file, by its suffix, under `name`; an unreadable file or row is yielded as `Unreadable`."""
    if path.suffix.lower() == ROWS:
        yield from _rows(path, name)
        return
    try:
        yield _page(_text(path), FORMATS[path.suffix.lower()], name)
    except Unreadable as reason:
        yield Unreadable(f"{name}: {reason}")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise Unreadable(f"larger than {_LARGEST >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if path.suffix.lower() in (".html", ".htm"):
            return data.decode("latin-1")  # old pages; other declared encodings are rare
        raise Unreadable("not UTF-8") from error


def _rows(path: Path, name: str) -> Iterator[Page | Unreadable]:
    """Yield one page per line without reading the whole file into memory."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                where = f"{name}:{number}"
                try:
                    row = msgspec.json.decode(line, type=_Row)
                    if not (row.text or row.html):
                        raise Unreadable("holds neither text nor html")
                    page = _page(row.html, "html", where) if row.html else Page(row.text, "text", where)
                except (msgspec.DecodeError, Unreadable) as error:
                    yield Unreadable(f"{where}: {error}")
                    continue
                licence = row.licence or row.license or page.licence
                yield msgspec.structs.replace(page, url=row.url or page.url, licence=licence)
    except OSError as error:
        yield Unreadable(f"{name}: cannot be read: {error.strerror}")


def _page(text: str, markup: str, where: str) -> Page:
    if markup == "html":
        return html_page(text, where)
    spdx = _SPDX.search(text, 0, 2000)
    licence = spdx[1] if spdx else ""
    if markup == "tex":
        return Page(text, "tex", where, licence=licence)
    plain = _markdown(text) if markup == "md" else _restructured(text) if markup == "rst" else text
    return Page(plain, "text", where, licence=licence)


def html_page(html: str, where: str) -> Page:
    """Return the main text of a web page with its declared address and licence; raise Unreadable if there is no text."""
    try:
        tree = lxml.html.fromstring(html)
    except (lxml.etree.LxmlError, ValueError) as error:
        raise Unreadable(f"no HTML: {error}") from error
    _mathematics_as_tex(tree)
    document = trafilatura.bare_extraction(tree, include_comments=False, favor_recall=True, with_metadata=True)
    if not isinstance(document, trafilatura.settings.Document) or not document.text:
        raise Unreadable("no text found in the HTML")
    return Page("\n\n".join(document.text.splitlines()), "text", where, document.url or "", document.license or "")


def _mathematics_as_tex(tree: lxml.html.HtmlElement) -> None:
    """Replace MathJax scripts and formula images with TeX, and remove KaTeX and MathJax output, which trafilatura would drop or duplicate.

    Trafilatura itself reads MathML with a TeX annotation.
    """
    for drawn in tree.xpath("//*[contains(@class, 'katex-html') or contains(@class, 'MathJax_Preview') or @class='MathJax']"):
        drawn.drop_tree()
    for script in tree.xpath("//script[starts-with(@type, 'math/tex')]"):
        opening, closing = ("\\[", "\\]") if "display" in script.get("type") else ("\\(", "\\)")
        _to_text(script, f"{opening}{script.text or ''}{closing}")
    for image in tree.xpath("//img[@alt and (contains(@class, 'math') or contains(@class, 'tex'))]"):
        twin = "mwe-math-fallback" in image.get("class")  # Wikipedia's fallback image next to MathML
        _to_text(image, "" if twin else f"\\({image.get('alt')}\\)")


def _to_text(element: lxml.html.HtmlElement, text: str) -> None:
    """Replace an element with `text` and keep its tail."""
    element.tail = text + (element.tail or "")
    element.drop_tree()


def _markdown(text: str) -> str:
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)  # front matter
    text = re.sub(r"^([`~]{3,})(?!math).*?^\1[ \t]*$", "", text, flags=re.M | re.S)
    text = re.sub(r"^```math\n(.*?)^```[ \t]*$", r"$$\1$$", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"(?<!\\)\[([^\]\n]*)\]\([^)\n]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    return re.sub(r"^(?:> ?)+", "", text, flags=re.M)


def _restructured(text: str) -> str:
    text = re.sub(r"^\.\. math::[ \t]*\n((?:[ \t]*\n)*(?:[ \t]+.*\n?)+)", lambda m: f"\\[{m[1].strip()}\\]\n", text, flags=re.M)
    text = re.sub(r"^([ \t]*)\.\. (?!math).*\n(?:(?:\1[ \t]+.*|[ \t]*)\n)*", "\n", text, flags=re.M)  # directives, comments
    text = re.sub(r"^([=\-~^\"'`#*+])\1{3,}[ \t]*$", "", text, flags=re.M)  # lines under headings
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    return re.sub(r":[\w:]+:`([^`<]+?)(?: <[^`]*>)?`", r"\1", text)
