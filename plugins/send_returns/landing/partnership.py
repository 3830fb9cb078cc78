"""The partnership that deliveries must come from, as dated reference data."""

from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

import yaml

from send_returns.failure import Failure


@dataclass(frozen=True, slots=True)
class Partnership:
    """A local area partnership on one day. `la_number`: the council's DfE number; `ons_code`: its ONS code;
    `icb_code`: ODS, None if unknown."""

    id: str
    name: str
    la_number: str
    ons_code: str
    icb_code: str | None


def partnership(name: str, as_of: date) -> Partnership:
    """The partnership as it stood on a day. Raises Failure for one that is not in `partnerships.yml` on that day."""
    text = (resources.files("send_returns.landing") / "partnerships.yml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)
    if name not in known:
        raise Failure(f"Partnership {name} is not known: add it to partnerships.yml, or choose {', '.join(known)}.")
    entry = known[name]
    council = _on(entry["councils"], as_of, f"council of {name}")
    icb = _on(entry["icbs"], as_of, f"ICB of {name}")
    return Partnership(name, entry["name"], council["la_number"], council["ons_code"], icb["ods_code"])


def _on(bodies: list[dict[str, Any]], as_of: date, what: str) -> dict[str, Any]:
    for body in bodies:
        if body["from"] <= as_of <= body.get("to", date.max):
            return body
    raise Failure(f"partnerships.yml names no {what} on {as_of}: add the body that answered then.")
