import shutil
from pathlib import Path
from typing import Any

import pytest

from send_returns import layouts
from send_returns.quality import rules
from send_returns.returns import declarations
from send_returns.returns.renderers import RENDERERS


def test_every_declared_return_says_what_its_layout_needs(partnership: Any) -> None:
    of_lists = [one for one in declarations.load_all() if isinstance(one, declarations.ListDeclaration)]
    assert of_lists
    for declaration in of_lists:
        layout = layouts.load(declaration.layout, partnership.as_of)
        assert set(declaration.lists) == {item.name for item in layout.lists}
        assert set(declaration.columns) == {column.name for item in layout.lists for column in item.columns}
        assert declaration.disclosure.policy == "exact_child_level"


def test_every_declared_return_has_its_rules_and_its_renderer(partnership: Any) -> None:
    declared = declarations.load_all()
    suites = {rule.suite for rule in rules.load(partnership.as_of, "gate")}
    assert {one.rules_suite for one in declared} <= suites
    assert {one.return_name for one in declared} == set(RENDERERS)
    assert [declarations.load(one.return_name) for one in declared] == declared


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("audience:", "audiences:", "missing or unknown: audience, audiences"),
        ("return: area", "return: other", "`return` and the file's name differ"),
        ("policy: exact_child_level", "policy: rounded", "disclosure policy of lists is exact_child_level"),
        ("kind: lists", "kind: table", "`kind` is one of lists, statistics, xml"),
        ("    source: GIAS, by the URN.\n", "", "source"),
    ],
)
def test_a_wrong_declaration_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = Path(shutil.copy(declarations.DECLARATIONS / "area_send_annex_a.yml", tmp_path))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(declarations.DeclarationError, match=message):
        declarations.read(path)
