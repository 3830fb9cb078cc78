"""The county's schools and colleges as GIAS lists them: invented names, URNs above any yet given out."""

import numpy as np
import polars as pl

from send_returns.simulate.draw import Ints, codes
from send_returns.simulate.identifiers import postcodes

LA = 919
# District, its share of children, and the postcode districts we give its homes.
DISTRICTS: dict[str, tuple[float, list[str]]] = {
    "Broxbourne": (0.085, ["EN8", "EN10", "EN11"]),
    "Dacorum": (0.130, ["HP1", "HP2", "HP3", "HP4"]),
    "East Hertfordshire": (0.125, ["SG9", "SG10", "SG11", "SG12", "SG13", "SG14"]),
    "Hertsmere": (0.090, ["WD6", "WD7", "EN6"]),
    "North Hertfordshire": (0.110, ["SG4", "SG5", "SG6", "SG7", "SG8"]),
    "St Albans": (0.125, ["AL1", "AL2", "AL3", "AL4", "AL5"]),
    "Stevenage": (0.075, ["SG1", "SG2"]),
    "Three Rivers": (0.080, ["WD3", "WD4", "WD5"]),
    "Watford": (0.085, ["WD17", "WD18", "WD19", "WD24", "WD25"]),
    "Welwyn Hatfield": (0.095, ["AL6", "AL7", "AL8", "AL9", "AL10"]),
}
_NEIGHBOURS = {207: "Camden", 302: "Barnet", 308: "Enfield", 823: "Central Bedfordshire", 873: "Cambridgeshire",
               881: "Essex", 821: "Luton", 825: "Buckinghamshire"}  # fmt: skip
_MAINTAINED: dict[str, float] = {"Community school": 34, "Voluntary aided school": 15, "Voluntary controlled school": 9,
               "Foundation school": 6, "Academy converter": 26, "Academy sponsor led": 7,
               "Free schools": 3}  # fmt: skip
_SECONDARY: dict[str, float] = {"Academy converter": 66, "Academy sponsor led": 9, "Free schools": 10,
                               "Foundation school": 8,
              "Voluntary aided school": 7}  # fmt: skip
_SPECIAL: dict[str, float] = {
    "Community special school": 60,
    "Academy special converter": 25,
    "Free schools special": 15,
}
_NOT_APPLICABLE = "Not applicable"

# role, how many, types, GIAS phase, word in the name, first establishment number, how many places a year
_ROLES: list[tuple[str, int, dict[str, float], str, str, int, float]] = [
    ("nursery", 14, {"Local authority nursery school": 1}, "Nursery", "Nursery School", 1000, 60),
    ("primary", 418, _MAINTAINED, "Primary", "Primary School", 2000, 34),
    ("middle_primary", 2, {"Community school": 1}, "Middle deemed primary", "Middle School", 2700, 90),
    ("middle_secondary", 6, {"Academy converter": 1}, "Middle deemed secondary", "Middle School", 4800, 110),
    ("secondary", 78, _SECONDARY, "Secondary", "School", 4000, 190),
    ("all_through", 8, {"Academy converter": 2, "Free schools": 1}, "All-through", "All-through School", 6900, 120),
    ("special", 26, _SPECIAL, _NOT_APPLICABLE, "Special School", 7000, 30),
    ("alternative", 7, {"Pupil referral unit": 1}, _NOT_APPLICABLE, "Education Support Centre", 1100, 30),
    ("alternative", 2, {"Academy alternative provision converter": 1}, _NOT_APPLICABLE, "Academy", 1120, 30),
    ("alternative", 1, {"Free schools alternative provision": 1}, _NOT_APPLICABLE, "Free School", 1130, 30),
    ("independent", 70, {"Other independent school": 1}, _NOT_APPLICABLE, "Preparatory School", 6000, 20),
    ("independent_special", 14, {"Other independent special school": 1}, _NOT_APPLICABLE, "House School", 6500, 8),
    ("independent_special", 3, {"Non-maintained special school": 1}, _NOT_APPLICABLE, "Lodge School", 7500, 8),
    ("further_education", 4, {"Further education": 1}, "16 plus", "College", 8000, 500),
    ("further_education", 1, {"Sixth form centres": 1}, "16 plus", "Sixth Form Centre", 8020, 120),
    ("specialist_post_16", 5, {"Special post 16 institution": 1}, _NOT_APPLICABLE, "Pathway College", 8500, 10),
    ("closed", 16, {"Community school": 1}, "Primary", "Infant School", 5200, 0),
    ("neighbour", 24, {"Other independent special school": 1}, _NOT_APPLICABLE, "Manor School", 6600, 6),
]  # fmt: skip
STATE_ROLES = ("nursery", "primary", "middle_primary", "middle_secondary", "secondary", "all_through", "special",
               "alternative")  # fmt: skip
_TREES = "Alder Ash Aspen Beech Birch Cedar Elder Elm Hazel Holly Juniper Larch Lime Maple Oak Pine Rowan Willow"
_FEATURES = (
    "Bank Bridge Brook Corner Down End Fold Ford Glade Grange Green Grove Heath Hill Lane Mead Park Row Vale Well "
    "Wood Yard"
)


def establishments(rng: np.random.Generator) -> pl.DataFrame:
    """About 700 establishments, one row each, in URN order.

    Columns: urn, la_code, la_name, estab, name, type, phase, role, district (index into `DISTRICTS`), places, status,
    open_on, close_on, ukprn, postcode, district_name.
    """
    parts = [
        pl.DataFrame(
            {
                "role": [role] * count,
                "type": codes(rng, types, count).tolist(),
                "phase": [phase] * count,
                "word": [word] * count,
                "estab": [first + i for i in range(count)],
                "places": places * rng.lognormal(0, 0.35, count),
            }
        )
        for role, count, types, phase, word, first, places in _ROLES
    ]
    frame = pl.concat(parts)
    size = len(frame)
    district = _districts(rng, frame)
    neighbour = np.array(list(_NEIGHBOURS))[rng.integers(0, len(_NEIGHBOURS), size)]
    away = (frame["role"] == "neighbour").to_numpy()
    closed = (frame["role"] == "closed").to_numpy()
    la = np.where(away, neighbour, LA)
    trees, features = _TREES.split(), _FEATURES.split()
    name = rng.permutation(len(trees) * len(features) * 2)[:size]
    first = pl.Series(trees).gather(name % len(trees)) + " " + pl.Series(features).gather(name // 2 % len(features))
    open_on = np.datetime64("1950-09-01") + rng.integers(0, 26000, size).astype("timedelta64[D]")
    close_on = np.where(closed, np.datetime64("2021-08-31"), np.datetime64("NaT")).astype("datetime64[D]")
    outward = [list(DISTRICTS.values())[d][1] for d in district]
    home = pl.Series([o[int(i * len(o))] for o, i in zip(outward, rng.random(size), strict=True)])
    names = [*DISTRICTS]
    return frame.with_columns(
        urn=pl.Series(170_000 + 13 * np.arange(size) + rng.integers(0, 13, size)),
        la_code=pl.Series(la),
        la_name=pl.Series(["Hertfordshire" if code == LA else _NEIGHBOURS[int(code)] for code in la]),
        name=first + " Example " + pl.col("word"),
        district=pl.Series(district),
        district_name=pl.Series([names[d] if code == LA else "" for d, code in zip(district, la, strict=True)]),
        status=pl.when(pl.col("role") == "closed").then(pl.lit("Closed")).otherwise(pl.lit("Open")),
        open_on=pl.Series(open_on),
        close_on=pl.Series(close_on),
        ukprn=pl.Series(10_900_000 + 7 * np.arange(size)),
        postcode=postcodes(rng, home),
    ).drop("word")


def _districts(rng: np.random.Generator, frame: pl.DataFrame) -> Ints:
    """A district for each: every district gets primaries and secondaries, so that each child has a school near."""
    shares = np.array([share for share, _ in DISTRICTS.values()])
    drawn = rng.choice(len(shares), size=len(frame), p=shares / shares.sum())
    within = frame.select(pl.int_range(pl.len()).over("role")).to_series().to_numpy()
    drawn = np.where(within < len(shares), within, drawn)
    middle = frame["role"].is_in(["middle_primary", "middle_secondary"]).to_numpy()
    middle_district = np.where(within % 2 == 0, 2, 4)  # three-tier schooling: East and North Hertfordshire
    return np.where(middle, middle_district, drawn).astype(np.int64)
