"""A simulated county that was landed, linked, built, judged and published once, for tests that copy it."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from send_returns import feeds, publication, stages, warehouse
from send_returns.identity import pseudonyms
from send_returns.releases import register
from send_returns.releases.register import Organisation, Signer
from send_returns.sealing import keys, parcel
from send_returns.settings import Settings
from send_returns.simulate import simulate

AS_OF = date(2026, 10, 30)
FEEDS = {"sen2", "school_census", "cin_census", "ssda903", "csds", "ehc_casework"}
REGISTER = "ehe_register_2026-10-30"

SIGNERS: dict[Organisation, str] = {"council": "director", "icb": "nurse"}

Rows = dict[str, Counter[str]]


@dataclass(frozen=True)
class Child:
    """A child of the county, by what is true of it."""

    truth: dict[str, str]

    @property
    def needles(self) -> list[str]:
        """Values that no other child has."""
        return [self.truth[name] for name in ("upn", "uln", "nhs_number", "la_child_id") if self.truth[name]]

    def in_register(self, ehe_id: str) -> str:
        """The child's line in a register of home education."""
        told = {**self.truth, "ehe_id": ehe_id, "date_of_birth": date.fromisoformat(self.truth["born"]), "start": AS_OF}
        return (
            "{ehe_id},{la_child_id},{upn},{uln},{nhs_number},{surname},{forename},{date_of_birth:%d/%m/%Y},{sex},"
            "{postcode},{start:%d/%m/%Y},,Other,N,No\n"
        ).format(**told)


@dataclass(frozen=True)
class County:
    """Its settings, the suppliers' folders, what was published, and the child with most records."""

    settings: Settings
    inbox: Path
    output: Path
    child: Child
    # Numbers that other children have.
    others: frozenset[str]

    def ask(self, query: str, *values: object, **named: object) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        with warehouse.connect(self.settings) as connection:
            return connection.execute(query.encode(), named or values).fetchall()

    def land(self) -> Counter[str]:
        """What landing counts."""
        counts = Counter[str]()
        for organisation in feeds.ORGANISATIONS:
            counts.update(stages.land(self.settings, organisation, self.inbox, AS_OF))
        return +counts

    def sent(self, of: str) -> Path:
        """An encrypted file that is kept of the lists of a date and version, with its hash. Nobody here can open it."""
        path = self.settings.folder(parcel.FOLDER) / f"area_send_annex_a_hertfordshire_{of}_0123456789ab.tar.age"
        for file in (path, path.with_name(f"{path.name}.sha256")):
            file.write_bytes(b"age-encryption.org/v1")
        return path

    def build(self) -> str:
        """A run from what is landed to its candidate."""
        run_id = stages.open_run(self.settings, AS_OF)
        stages.link(self.settings, run_id)
        for layer in stages.LAYERS:
            stages.build(self.settings, run_id, layer)
        return run_id

    def run(self) -> str:
        """A run from what is landed to its pack."""
        run_id = self.build()
        stages.gate(self.settings, run_id)
        stages.draft(self.settings, run_id, returns=["area_send_annex_a"])
        for organisation, username in SIGNERS.items():
            asked = publication.for_signature(self.settings, run_id, organisation, is_rehearsal=False)
            publication.sign(self.settings, asked.packs, username=username, is_approved=True, reason="")
        stages.publish(self.settings, run_id, self.output)
        return run_id

    @property
    def person_id(self) -> str:
        """The one person that linkage made of the child's records."""
        ((person_id,),) = self.ask(
            "select distinct person_id from identity.profile where nhs_number = %s", self.child.truth["nhs_number"]
        )
        return str(person_id)

    def rows(self) -> Rows:
        """Every row of every raw table, as text, and every row in quarantine."""
        tables = self.ask(
            "select schemaname, tablename from pg_tables where schemaname like 'raw\\_%%'"
            " union all select 'landing', 'quarantine' order by 1, 2"
        )
        return {
            table: Counter(text for (text,) in self.ask(f"select t::text from {schema}.{table} as t"))
            for schema, table in tables
        }


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _child(truth: Path) -> Child:
    """The child who is in most feeds, all of `FEEDS` among them."""
    known = defaultdict(set)
    for record in _read(truth / "record.csv"):
        known[record["person"]].add(record["feed"])
    number = max((person for person in known if known[person] >= FEEDS), key=lambda person: len(known[person]))
    return Child(next(one for one in _read(truth / "person.csv") if one["person"] == number))


def _everywhere(inbox: Path, child: Child) -> None:
    """Let the child be in the register of home education too, once in a row to set aside, and in a file to refuse."""
    folder = inbox / "council" / "ehe_register"
    register = folder / REGISTER / f"{REGISTER}.csv"
    text = register.read_text(encoding="utf-8")
    register.write_text(text + child.in_register("EHE90001") + child.in_register(""), encoding="utf-8")
    refused = folder / "ehe_register_2026-05-21.csv"
    refused.write_text(text.splitlines(keepends=True)[0] + child.in_register("") * 9, encoding="utf-8")


Copy = Callable[[Settings, Path], AbstractContextManager[Settings]]


@pytest.fixture(scope="session")
def published(
    server: Settings, template: str, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[County]:
    """A county that went through a whole run."""
    place = tmp_path_factory.mktemp("county")
    simulate(place, children=300, seed=2026, as_of=AS_OF, mess="none")
    child = _child(place / "truth")
    numbers = {one[name] for one in _read(place / "truth" / "person.csv") for name in ("upn", "uln", "nhs_number")}
    migrated = replace(server, database_url=warehouse.url(server, database=template))
    with copy_of(migrated, place / "home") as settings:
        others = frozenset(numbers - {"", *child.needles})
        county = County(settings, place / "inbox", place / "output", child, others)
        _everywhere(county.inbox, county.child)
        pseudonyms.new(settings, pseudonyms.MARTS)
        keys.new(settings)
        with warehouse.connect(settings) as connection:
            for organisation, username in SIGNERS.items():
                signer = Signer("hertfordshire", organisation, username, username, "Leads", AS_OF, None, False)
                register.add_signer(connection, signer, by="registrar")
        county.land()
        county.run()
        yield county
