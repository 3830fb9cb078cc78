"""Files larger than the memory that landing may take: a school census as CSV, a children in need census as XML."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from send_returns import warehouse
from send_returns.bench.suite import GIGABYTE, Measured
from send_returns.landing.partnership import partnership
from send_returns.settings import Settings
from send_returns.simulate.identifiers import upns

# Writes a file of at least so many bytes, for an LA and a year, and returns the rows of its main table.
Write = Callable[[Path, int, int, int], int]
CSV_BYTES, XML_BYTES = 2 * GIGABYTE, GIGABYTE
BLOCK = 5_000
SCHOOLS = 500


@dataclass(frozen=True, slots=True)
class Landed:
    """A file that was landed: its bytes, the rows of its main table, and the landing's seconds and peak memory."""

    size: int
    rows: int
    seconds: float
    peak_bytes: int


def landings(
    settings: Settings,
    as_of: date,
    land: Callable[[str, Path], Measured],
    *,
    csv_bytes: int = CSV_BYTES,
    xml_bytes: int = XML_BYTES,
) -> Iterator[tuple[str, Landed, Landed]]:
    """What landing takes for each format: a file of a tenth of the size, then the whole.

    `land` lands the council's deliveries of an inbox in a process of its own and says what that took. Raises ValueError
    when a row is missing from the database, because then the figures are of nothing.
    """
    la = int(partnership(settings.partnership, as_of).la_number)
    year = as_of.year - 1
    for kind, size in (("csv", csv_bytes), ("xml", xml_bytes)):
        taken = []
        for part, share in (("tenth", 10), ("whole", 1)):
            inbox = settings.folder(f"streaming-{kind}-{part}")
            if kind == "csv":
                name = f"{year}_autumn_{part}"
                path = inbox / "council" / "school_census" / name / f"{year}_autumn_pupilonroll.csv"
                write, table = write_pupils, "pupilonroll"
            else:
                name = f"cin_{year}_{part}.xml"
                path = inbox / "council" / "cin_census" / name
                write, table = write_children, "child"
            path.parent.mkdir(parents=True)
            rows = write(path, size // share, la, year)
            (inbox / "council" / path.relative_to(inbox / "council").parts[0] / f"{name}.done").touch()
            measured = land(f"{kind}-{part}", inbox)
            if (loaded := _loaded(settings, name, table)) != rows:
                raise ValueError(f"{kind}: {loaded:,} of {rows:,} rows of {table} were loaded")
            taken.append(Landed(path.stat().st_size, rows, measured.seconds, measured.peak_bytes))
            path.unlink()
        yield kind, taken[0], taken[1]


def _loaded(settings: Settings, name: str, table: str) -> int:
    with warehouse.connect(settings) as connection:
        row = connection.execute(
            "select landed.rows_loaded from landing.delivery_table landed join landing.delivery using (delivery_id)"
            " where name = %s and table_name = %s",
            [name, table],
        ).fetchone()
    return int(row[0]) if row else 0


def write_pupils(path: Path, size: int, la: int, year: int) -> int:
    """A pupil table of a school census, of at least `size` bytes; returns its rows."""
    at = np.arange(BLOCK)
    of_block = pl.DataFrame(
        {
            "nativeid": pl.Series(at % SCHOOLS).cast(pl.String).str.zfill(4),
            "formerupn": pl.Series([None], dtype=pl.String).new_from_index(0, BLOCK),
            "uniquelearnernumber": pl.Series([None], dtype=pl.String).new_from_index(0, BLOCK),
            # Letters beyond ASCII and cells in quotes, as files have them.
            "surname": pl.Series(["Alder", "Birch", "Cedar", "Elder, of Elm", "Müller"] * (BLOCK // 5)),
            "forename": pl.Series(["Ash", "Hazel", "Zoë", "Rowan"] * (BLOCK // 4)),
            "dob": pl.Series([f"{year - 9}-Apr-{1 + n % 28:02} 00:00:00" for n in range(BLOCK)]),
            "sex": pl.Series(["F", "M"] * (BLOCK // 2)),
            "ethnicity": pl.Series(["WBRI", "WBRI", "AIND", "BAFR"] * (BLOCK // 4)),
            "postcode": pl.Series([f"AL{1 + n % 9} {n % 10}AB" for n in range(BLOCK)]),
            "entrydate": pl.Series([f"{year - 3}-Sep-01 00:00:00"] * BLOCK),
            "enrolstatus": pl.Series(["C"] * BLOCK),
            "ncyearactual": pl.Series(["4"] * BLOCK),
            "parttime": pl.Series(["False"] * BLOCK),
            "senprovision": pl.Series(["N", "N", "N", "K", "E"] * (BLOCK // 5)),
            "senunitindicator": pl.Series(["False"] * BLOCK),
            "resourcedprovisionindicator": pl.Series(["False"] * BLOCK),
            "pupilpremium": pl.Series(["True", "False"] * (BLOCK // 2)),
            "termlysessionspossible": pl.Series(["130"] * BLOCK),
            "termlysessionsauthorised": pl.Series(pl.Series(at % 20).cast(pl.String)),
            "termlysessionsunauthorised": pl.Series(pl.Series(at % 7).cast(pl.String)),
        }
    )
    rows = 0
    with path.open("wb") as file:
        while file.tell() < size:
            numbers = at + rows
            keys = [
                pl.Series("pupilonrolltableid", numbers).cast(pl.String),
                of_block["nativeid"],
                _upns(la, numbers).alias("upn"),
            ]
            block = pl.DataFrame([*keys, *of_block.get_columns()[1:]])
            block.write_csv(file, include_header=rows == 0)
            rows += BLOCK
    return rows


def _upns(la: int, numbers: np.typing.NDArray[np.int64]) -> pl.Series:
    """A unique pupil number for each of up to a milliard numbers."""
    return upns(la, numbers // 100_000 % 10_000, numbers // 1_000 % 100, numbers % 1_000)


_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<Message>
  <Header>
    <CollectionDetails>
      <Collection>CIN</Collection>
      <Year>{year}</Year>
      <ReferenceDate>{year}-03-31</ReferenceDate>
    </CollectionDetails>
    <Source>
      <SourceLevel>L</SourceLevel>
      <LEA>{la}</LEA>
    </Source>
  </Header>
  <Children>
"""
_CHILD = """    <Child>
      <ChildIdentifiers>
        <LAchildID>{number}</LAchildID>
        <UPN>{upn}</UPN>
        <PersonBirthDate>{year}-04-25</PersonBirthDate>
        <GenderCurrent>1</GenderCurrent>
      </ChildIdentifiers>
      <ChildCharacteristics>
        <Ethnicity>WBRI</Ethnicity>
        <Disabilities>
          <Disability>HAND</Disability>
          <Disability>HEAR</Disability>
        </Disabilities>
      </ChildCharacteristics>
      <CINdetails>
        <CINreferralDate>{year}-10-06</CINreferralDate>
        <ReferralSource>1A</ReferralSource>
        <PrimaryNeedCode>N4</PrimaryNeedCode>
        <Assessments>
          <AssessmentActualStartDate>{year}-10-08</AssessmentActualStartDate>
          <AssessmentAuthorisationDate>{year}-11-18</AssessmentAuthorisationDate>
          <FactorsIdentifiedAtAssessment>
            <AssessmentFactors>2A</AssessmentFactors>
            <AssessmentFactors>4B</AssessmentFactors>
          </FactorsIdentifiedAtAssessment>
        </Assessments>
        <CINPlanDates>
          <CINPlanStartDate>{year}-11-24</CINPlanStartDate>
        </CINPlanDates>
        <ReferralNFA>false</ReferralNFA>
        <ChildProtectionPlans>
          <CPPstartDate>{year}-12-17</CPPstartDate>
          <InitialCategoryOfAbuse>PHY</InitialCategoryOfAbuse>
          <LatestCategoryOfAbuse>PHY</LatestCategoryOfAbuse>
          <NumberOfPreviousCPP>0</NumberOfPreviousCPP>
        </ChildProtectionPlans>
      </CINdetails>
    </Child>
"""
_TAIL = """  </Children>
</Message>
"""


def write_children(path: Path, size: int, la: int, year: int) -> int:
    """A children in need census of at least `size` bytes; returns its children."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD.format(year=year, la=la))
        while file.tell() < size:
            numbers = np.arange(rows, rows + 1_000)
            pairs = zip(numbers.tolist(), _upns(la, numbers), strict=True)
            file.write("".join(_CHILD.format(number=number, upn=upn, year=year - 1) for number, upn in pairs))
            rows += len(numbers)
        file.write(_TAIL)
    return rows
