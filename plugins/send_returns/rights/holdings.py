"""Whose each raw row is: the one place that says which columns name a child, and which rows belong to another row.

A table of a contract that is not here would keep what is erased everywhere else: a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from send_returns import feeds
from send_returns.identity.sources import SOURCES

# Feeds whose record ids are made anew for each delivery; in the others an id means the same record in every delivery.
IDS_OF_ONE_DELIVERY = ("sen2", "cin_census", "school_census", "ap_census")

_LA_CHILD = {"la_child_id": "la_child_id"}
_LOOKED_AFTER = {"la_child_id": "child"}
_CSDS_PATIENT = {
    "provider_patient_id": "organisation_identifier_code_of_provider || ' ' || local_patient_identifier_extended"
}
_MHSDS_PATIENT = {"provider_patient_id": "orgidprov || ' ' || localpatientid"}
# Tables that name a child beside the person records of `identity.sources`, which say it for themselves.
_NAMES_A_CHILD: Mapping[str, Mapping[str, str]] = {
    "ehc_casework__plan": _LA_CHILD,
    "ehc_casework__review": _LA_CHILD,
    "ehc_casework__panel_decision": _LA_CHILD,
    "ehc_casework__correction": _LA_CHILD,
    "post16__supported_internship": {**_LA_CHILD, "uln": "uln"},
    "ssda903__uasc": _LOOKED_AFTER,
    "ssda903__reviews": _LOOKED_AFTER,
    "ssda903__oc2": _LOOKED_AFTER,
    "ssda903__oc3": _LOOKED_AFTER,
    "ssda903__ad1": _LOOKED_AFTER,
    "ssda903__placedadoption": _LOOKED_AFTER,
    "ssda903__prevperm": _LOOKED_AFTER,
    "ssda903__missing": _LOOKED_AFTER,
    "ssda903__socialworker": _LOOKED_AFTER,
    "csds__cyp101referral": _CSDS_PATIENT,
    "csds__cyp002gp": _CSDS_PATIENT,
    "csds__cyp401spedneedid": _CSDS_PATIENT,
    "mhsds__mhs005patind": _MHSDS_PATIENT,
    "mhsds__mhs008careplantype": _MHSDS_PATIENT,
    "mhsds__mhs101referral": _MHSDS_PATIENT,
}
_CENSUS_PUPIL = "pupilonrolltableid nativeid"
_CSDS_LOCAL = "local_patient_identifier_extended organisation_identifier_code_of_provider"
_CSDS_REQUEST = "service_request_identifier organisation_identifier_code_of_provider"
_CSDS_CONTACT = "care_contact_identifier organisation_identifier_code_of_provider"
# A table, the columns by which rows of others belong to its own, and those others. Parents come before their parts.
_PARTS = (
    ("sen2__person", "persontableid", "sen2__requests"),
    ("sen2__requests", "requeststableid", "sen2__assessment sen2__activeplans"),
    ("sen2__assessment", "assessmenttableid", "sen2__namedplan"),
    ("sen2__namedplan", "namedplantableid", "sen2__plandetail"),
    ("sen2__activeplans", "activeplanstableid", "sen2__placementdetail sen2__senneed"),
    ("cin_census__child", "childtableid", "cin_census__disability cin_census__cindetails"),
    (
        "cin_census__cindetails",
        "cindetailstableid",
        "cin_census__assessment cin_census__cinplan cin_census__section47 cin_census__childprotectionplan",
    ),
    ("cin_census__assessment", "assessmenttableid", "cin_census__assessmentfactor"),
    ("cin_census__childprotectionplan", "childprotectionplantableid", "cin_census__cppreview"),
    (
        "school_census__pupilonroll",
        _CENSUS_PUPIL,
        "school_census__senneeds school_census__termlyexclusionsonroll school_census__termlysessiondetailsonroll",
    ),
    ("ehc_casework__case", "case_id", "ehc_casework__advice ehc_casework__plan ehc_casework__panel_decision"),
    ("ehc_casework__plan", "plan_id", "ehc_casework__review ehc_casework__correction"),
    ("short_breaks__request", "request_id", "short_breaks__package"),
    ("short_breaks__package", "package_id", "short_breaks__delivery"),
    ("dynamic_support_register__register", "register_id", "dynamic_support_register__ctr"),
    ("csds__cyp001mpi", _CSDS_LOCAL, "csds__cyp101referral csds__cyp002gp csds__cyp401spedneedid"),
    (
        "csds__cyp101referral",
        _CSDS_REQUEST,
        "csds__cyp102servicetypereferredto csds__cyp104rtt csds__cyp606provdiag csds__cyp607primdiag"
        " csds__cyp608secdiag csds__cyp201carecontact",
    ),
    ("csds__cyp201carecontact", _CSDS_CONTACT, "csds__cyp202careactivity"),
    (
        "mhsds__mhs001mpi",
        "localpatientid orgidprov",
        "mhsds__mhs005patind mhsds__mhs008careplantype mhsds__mhs101referral",
    ),
    (
        "mhsds__mhs101referral",
        "servicerequestid orgidprov",
        "mhsds__mhs102servicetypereferredto mhsds__mhs104rtt mhsds__mhs604primdiag"
        " mhsds__mhs606codedscoreassessmentrefer mhsds__mhs201carecontact",
    ),
    ("mhsds__mhs201carecontact", "carecontactid orgidprov", "mhsds__mhs202careactivity"),
    ("mhsds__mhs202careactivity", "careactid orgidprov", "mhsds__mhs607codedscoreassessmentact"),
)
# What is of nobody: headers, schools, and a case that its feed leaves anonymous.
OF_NOBODY = (
    "sen2__sen2",
    "cin_census__header",
    "school_census__school",
    "csds__cyp000header",
    "contact_log__sendiass_case",
    "improvement_plan__action",
    "improvement_plan__milestone",
    "gias__establishment",
    "organisations__organisation",
    "population__population",
    "postcode_lookup__postcode",
)


@dataclass(frozen=True, slots=True)
class Holding:
    """A raw table of children. `table`: as the contract names it; `raw`: its name in the database.

    `columns`: those of the contract; `says`: the SQL expression of each role of `identity.sources.SAYS` that it has;
    `parent` and `shared`: the raw table whose rows its own are parts of, by columns that both have.
    """

    feed: str
    schema: str
    raw: str
    table: str
    columns: tuple[str, ...]
    says: Mapping[str, str]
    parent: str | None
    shared: tuple[str, ...]

    @property
    def is_of_one_delivery(self) -> bool:
        """Whether a row is part of rows of its own delivery only."""
        return self.feed in IDS_OF_ONE_DELIVERY


@cache
def holdings() -> Mapping[str, Holding]:
    """Every raw table of children, by its name in the database; a table comes after the one that it is a part of."""
    says: dict[str, Mapping[str, str]] = {source.table: source.says for source in SOURCES}
    says |= _NAMES_A_CHILD
    part_of = {raw: (parent, tuple(columns.split())) for parent, columns, raws in _PARTS for raw in raws.split()}
    places = {table.raw_name: (feed.id, table) for feed in feeds.feeds() for table in feed.tables}
    found = {}
    for raw in [*(raw for raw in says if raw not in part_of), *part_of]:
        feed, table = places[raw]
        parent, shared = part_of.get(raw, (None, ()))
        names = tuple(column.name for column in table.columns)
        found[raw] = Holding(feed, table.raw_schema, raw, table.name, names, says.get(raw, {}), parent, shared)
    return found
