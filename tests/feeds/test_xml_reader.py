"""XML: flattened to the tables of the contract, and nothing in it is followed, expanded or lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from send_returns import feeds

Take = Callable[..., Any]

SEN2 = """<?xml version="1.0"?>
<Message{declared}>
  <Header>
    <CollectionDetails>
      <Collection>SEN2</Collection><Year>2026</Year><ReferenceDate>2026-01-15</ReferenceDate>
    </CollectionDetails>
    <Source><LEA>919</LEA></Source>
  </Header>
  <Persons>
    <Person>
      <Surname>First</Surname><PersonBirthDate>2012-03-04</PersonBirthDate><UPN>B801200005001</UPN>
      <Requests>
        <ReceivedDate>2025-01-02</ReceivedDate><RequestOutcome>Y</RequestOutcome>
        <Assessment>
          <AssessmentOutcome>Y</AssessmentOutcome>
          <NamedPlan>
            <StartDate>2025-05-01</StartDate>
            <PlanDetail><URN>117400</URN><PlacementRank>1</PlacementRank></PlanDetail>
            <PlanDetail><SENSetting>EHE</SENSetting><PlacementRank>2</PlacementRank></PlanDetail>
          </NamedPlan>
        </Assessment>
        <ActivePlans>
          <PlacementDetail><URN>117400</URN><EntryDate>2025-09-01</EntryDate></PlacementDetail>
          <SENneed><SENtype>ASD</SENtype><SENtypeRank>1</SENtypeRank></SENneed>
          <SENneed><SENtype>SLCN</SENtype><SENtypeRank>2</SENtypeRank></SENneed>
          <LastReview>2025-12-01</LastReview>
        </ActivePlans>
      </Requests>
      {first}
    </Person>{between}
    <Person>
      <Surname>Second</Surname>
      <Requests><RequestOutcome>N</RequestOutcome></Requests>
      <Requests><RequestOutcome>A</RequestOutcome></Requests>
    </Person>
  </Persons>
  <SEN2><DMO>1</DMO><DCO>0</DCO></SEN2>
</Message>
"""


def sen2(declared: str = "", first: str = "", between: str = "") -> dict[str, str | bytes]:
    return {"sen2_2026.xml": SEN2.format(declared=declared, first=first, between=between)}


def test_records_become_tables_that_point_at_one_another(take: Take) -> None:
    taken = take("sen2", sen2(), la="919")
    assert {table: frame.height for table, frame in taken.loaded.items()} == {
        "sen2": 1,
        "person": 2,
        "requests": 3,
        "assessment": 1,
        "namedplan": 1,
        "plandetail": 2,
        "activeplans": 1,
        "placementdetail": 1,
        "senneed": 2,
    }
    people = taken.loaded["person"].select("persontableid", "sen2tableid", "surname", "_row_number").rows()
    assert people == [("1", "1", "First", 2), ("2", "1", "Second", 3)]
    requests = taken.loaded["requests"].select("requeststableid", "persontableid", "requestoutcome").rows()
    assert requests == [("1", "1", "Y"), ("2", "2", "N"), ("3", "2", "A")]
    needs = taken.loaded["senneed"].select("senneedtableid", "activeplanstableid", "sentype", "sentyperank").rows()
    assert needs == [("1", "1", "ASD", 1), ("2", "1", "SLCN", 2)]
    assert taken.loaded["plandetail"]["sensetting"].to_list() == [None, "EHE"]
    assert taken.loaded["sen2"].select("sen2tableid", "year", "lea", "dmo", "dco").rows() == [
        ("1", 2026, "919", True, False)
    ]
    assert taken.findings.is_empty()


def test_the_nine_csv_tables_of_collect_say_the_same(take: Take) -> None:
    files = {
        "sen2.csv": "sen2tableid,collection,year,referencedate,lea,dmo\n7,SEN2,2026,2026-01-15,919,1\n",
        "person.csv": "persontableid,sen2tableid,surname,forename,personbirthdate,upn\n"
        "p1,7,First,A,2012-03-04,B801200005001\n",
        "requests.csv": "requeststableid,persontableid,receiveddate,requestoutcome\nr1,p1,2025-01-02,Y\n",
        "senneed.csv": "senneedtableid,activeplanstableid,sentype,sentyperank\n1,a1,ASD,1\n",
    }
    taken = take("sen2", files, la="919")
    assert taken.delivery.period == take("sen2", sen2()).delivery.period
    assert taken.loaded["person"]["persontableid"].to_list() == ["p1"]
    assert {table for table, _, _ in taken.found("F09")} == {
        "assessment",
        "namedplan",
        "plandetail",
        "activeplans",
        "placementdetail",
    }


def test_namespaces_do_not_hide_records(take: Take) -> None:
    assert take("sen2", sen2(declared=' xmlns="urn:example:sen2"')).loaded["person"].height == 2


def test_what_has_no_place_is_kept_aside_or_reported(take: Take) -> None:
    taken = take("sen2", sen2(first="stray<UPN>again</UPN><Pronoun>they</Pronoun>", between="between"))
    assert taken.loaded["person"]["upn"].to_list() == ["B801200005001", None]
    assert taken.loaded["person"]["_extra"].to_list() == ['{"upn_again":"again","pronoun":"they"}', None]
    assert taken.found("F12") == [("person", ("person",), 3), ("person", ("requests",), 2)]
    assert taken.found("F13") == [("person", ("upn",), 2)]


def test_a_truncated_file_is_refused_by_its_line(take: Take) -> None:
    whole = str(sen2()["sen2_2026.xml"])
    with pytest.raises(feeds.Refused, match=r"not well-formed XML at line \d+. Was it cut short"):
        take("sen2", {"sen2_2026.xml": whole[: len(whole) // 2]})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE Message [<!ENTITY secret SYSTEM "file://{path}">]><Message><Persons><Person><Surname>&secret;</Surname>'
        "</Person></Persons></Message>",
        '<!DOCTYPE Message SYSTEM "file://{path}"><Message/>',
        "<!DOCTYPE Message ["
        + '<!ENTITY l0 "lol">'
        + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        + "]><Message>&l9;</Message>",
    ],
    ids=["external entity", "external subset", "billion laughs"],
)
def test_document_types_are_refused_before_anything_is_expanded(
    take: Take, tmp_path: Path, document: str, encoding: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("CANARY")
    with pytest.raises(feeds.Refused, match="declares a document type") as refusal:
        take("sen2", {"sen2_2026.xml": document.replace("{path}", str(secret)).encode(encoding)})
    assert "CANARY" not in str(refusal.value)


def test_a_declaration_across_the_edge_of_two_reads_is_seen(take: Take) -> None:
    padding = " " * ((1 << 20) - 4)
    with pytest.raises(feeds.Refused, match="declares a document type"):
        take("sen2", {"sen2_2026.xml": padding + "<!DOCTYPE Message><Message/>"})


def test_xml_of_another_feed_is_refused(take: Take) -> None:
    with pytest.raises(feeds.Refused, match="no row of cin_census is in it"):
        take("cin_census", {"x.xml": "<Message><Other/></Message>"})
    with pytest.raises(feeds.Refused, match="does not come as XML"):
        take("ssda903", {"x.xml": "<Message/>"})
