"""The data dictionary and the guide to the marts: complete, deterministic, readable by everybody, and up to date."""

import csv
import io
from html.parser import HTMLParser

import pytest

from send_returns.returns import bi_guide, dictionary
from send_returns.settings import PROJECT, Settings
from send_returns.warehouse import dbt, describing
from send_returns.warehouse.describing import Column, Table

TABLES = [
    Table(
        "marts",
        "dim_child",
        "Every child.\n\n**Grain**: one row per child. **Key**: `child_key`.",
        ("child_key",),
        (Column("child_key", "text", "The child, by a pseudonym.", None),),
        {},
    ),
    Table(
        "marts",
        "fct_wait",
        "Waits of <18 & more weeks.",
        (),
        (
            Column("child_key", "text", "The child, by a pseudonym.", "dim_child"),
            Column("waited_on", "date", 'The "first" day, or <none>.', None),
        ),
        {},
    ),
]


class _Page(HTMLParser):
    """What a page has, as far as its readers' tools need it."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.attributes.append((tag, named))
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [named["href"] or ""] if tag == "a" else []
        self.headings += [int(tag[1])] if tag in ("h1", "h2", "h3") else []
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(tables: list[Table]) -> _Page:
    page = _Page()
    page.feed(dictionary.files(tables)["data_dictionary.html"].decode())
    return page


def test_the_csv_has_every_table_and_column() -> None:
    text = dictionary.files(TABLES)["data_dictionary.csv"].decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [
        ["schema", "table", "position", "column", "type", "refers_to", "description"],
        ["marts", "dim_child", "0", "", "", "", TABLES[0].description],
        ["marts", "dim_child", "1", "child_key", "text", "", "The child, by a pseudonym."],
        ["marts", "fct_wait", "0", "", "", "", "Waits of <18 & more weeks."],
        ["marts", "fct_wait", "1", "child_key", "text", "dim_child.child_key", "The child, by a pseudonym."],
        ["marts", "fct_wait", "2", "waited_on", "date", "", 'The "first" day, or <none>.'],
    ]


def test_the_page_is_whole_and_its_text_is_text() -> None:
    page = _page(TABLES)
    assert page.open == []
    assert "Waits of <18 & more weeks." in page.text
    assert 'The "first" day, or <none>.' in page.text
    assert "Grain: one row per child. Key: child_key." in page.text


def test_the_page_can_be_read_without_eyes_and_without_a_mouse() -> None:
    page = _page(TABLES)
    named = {tag: [attributes for other, attributes in page.attributes if other == tag] for tag, _ in page.attributes}
    assert named["html"] == [{"lang": "en-GB"}]
    assert "title" in named
    assert len(set(page.ids)) == len(page.ids)
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert {"tables", "marts.dim_child", "marts.fct_wait"} <= inside
    assert page.links[0] == "#tables"
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))
    assert len(named["caption"]) == len(named["table"]) == 2
    assert all("scope" in attributes for attributes in named["th"])
    scrolled = [attributes for attributes in named["div"] if attributes.get("class") == "wide"]
    assert len(scrolled) == 2
    assert all(one["tabindex"] == "0" and one["role"] == "region" and one["aria-label"] for one in scrolled)
    assert "script" not in named


def _luminance(colour: str) -> float:
    full = colour * 2 if len(colour) == 3 else colour
    parts = [int(full[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_colours_stand_out(scheme: str) -> None:
    style = dictionary.files([])["data_dictionary.html"].decode()
    _, light, dark = style.split(":root {")[:3]
    said = (light if scheme == "light" else dark).split("}")[0]
    colours = {
        name.strip().removeprefix("--"): value.strip().removeprefix("#")
        for name, value in (part.split(":") for part in said.split(";") if part.strip().startswith("--"))
    }
    for front, back, least in (
        ("ink", "paper", 7),
        ("ink", "pale", 7),
        ("link", "paper", 4.5),
        ("line", "paper", 3),
    ):
        bright, dim = sorted((_luminance(colours[front]), _luminance(colours[back])), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= least, (front, back)


def test_the_same_tables_give_the_same_bytes_and_others_give_others() -> None:
    assert dictionary.files(TABLES) == dictionary.files(list(TABLES))
    assert dictionary.files(TABLES) != dictionary.files(TABLES[:1])


def test_the_guide_is_that_of_the_project(server: Settings) -> None:
    made = bi_guide.text(bi_guide.described(server))
    assert (PROJECT / "docs" / "bi.md").read_text(encoding="utf-8") == made, (
        "run `send-returns dictionary --guide docs/bi.md`"
    )


def test_the_guide_names_every_mart_and_what_it_refers_to(server: Settings) -> None:
    made = bi_guide.text(bi_guide.described(server))
    for table in describing.tables(dbt.manifest(server)):
        if table.schema == "marts":
            [line] = [line for line in made.splitlines() if line.startswith(f"| `{table.name}` |")]
            assert all(f"`{column.refers_to}`" in line for column in table.columns if column.refers_to)
