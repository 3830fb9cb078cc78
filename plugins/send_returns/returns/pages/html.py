"""Pages of a return as HTML: one file each that asks for nothing else, and that reads on a phone and in print."""

import re
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from send_returns.returns.job import REHEARSAL, Job
from send_returns.returns.pages import long_date, uk_date, words

TEMPLATES = Path(__file__).parent
# What no page may hold, and what turns the order of the letters after it about.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]")


class Link(NamedTuple):
    """A text of a table that leads somewhere on the page."""

    text: str
    href: str


Text = str | Link

_templates = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def _breakable(text: str) -> Markup:
    """A text whose long codes may be broken at their underscores."""
    return escape(text).replace("_", Markup("_<wbr>"))


_templates.filters |= {"uk_date": uk_date, "long_date": long_date, "words": words, "breakable": _breakable}


def page(job: Job, template: str, **values: object) -> bytes:
    """A template of this folder that extends `page.html`, filled in; the same job and values give the same bytes.

    Every text is escaped, and a character that cannot be read becomes U+FFFD. A template gets `job`, and `rehearsal`,
    which is empty but in a trial run.
    """
    text = _templates.get_template(template).render(job=job, rehearsal=REHEARSAL if job.is_rehearsal else "", **values)
    return _UNREADABLE.sub("\ufffd", text).encode()
