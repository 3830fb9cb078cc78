"""Names nobody bears: invented surnames, with the apostrophes, accents and hyphens that real registers hold."""

from typing import Final

import numpy as np
import polars as pl

_STEMS = (
    "Fict Sampl Mock Faux Pseud Imagin Invent Feign Contriv Simul Fabric Modell Phantas Notion Figment "
    "Hypoth Quas Synth Makeb Pretend"
)
_ENDINGS = "erby well ford ington worth ham ley stone wick ton shaw field gate more den holt bury combe"
_MARKED = [
    "O'Brien-Sample", "O'Fictley", "D'Exemple", "McSample", "MacFictson", "Ó Fictigh", "Nuñez-Mockton",
    "Żmyślony", "van der Sample", "De La Fiction", "Müstermann", "Sample Khan", "Fiktivska", "Testović", "Xample",
]  # fmt: skip
_GIRLS = (
    "Amelia Olivia Isla Ava Mia Ivy Lily Freya Florence Grace Willow Isabella Sophie Zoë Chloé Siân Renée Aisha "
    "Fatima Maryam Zara Ayesha Priya Ananya Saanvi Maja Zofia Alicja Adaeze Chiamaka Temi Abena Esi Mei Yuki Noor "
    "Layla Elif Anne-Marie Mary-Jane Beatrice Phoebe Martha Thea Nancy Orla Niamh Caoimhe Aoife Ruby Poppy Evelyn"
)
_BOYS = (
    "Noah Oliver George Arthur Leo Muhammad Theo Harry Archie Jack Luca Oscar Henry Freddie Albie Seán José André "
    "Zoltán Ibrahim Yusuf Mohammed Ahmed Arjun Rohan Vihaan Kacper Jakub Filip Chidi Emeka Kwame Kofi Wei Kenji Omar "
    "Ali Emre Jean-Luc John-Paul Rory Finley Tommy Reggie Jude Ezra Caleb Iwan Eoin Ciarán Teddy Louie"
)

# What else a child of a forename is called: short forms, and other spellings of the same name.
FAMILIAR: Final = {
    name: forms.split()
    for name, forms in {
        "Adaeze": "Ada", "Ahmed": "Ahmad", "Aisha": "Ayesha Aysha", "Albie": "Albert", "Ali": "Aly",
        "Alicja": "Alicia Ala", "Amelia": "Millie Amelie", "Ananya": "Anu", "Anne-Marie": "Annie Anne",
        "Archie": "Archibald", "Arthur": "Artie Art", "Ayesha": "Aisha", "Beatrice": "Bea Trixie", "Caoimhe": "Keeva",
        "Chiamaka": "Amaka", "Ciarán": "Kieran", "Eoin": "Owen", "Evelyn": "Evie Eve", "Ezra": "Ez",
        "Fatima": "Fatimah Fatma", "Filip": "Philip Phil", "Finley": "Finn Fin", "Florence": "Flo Florrie",
        "Freddie": "Fred Frederick", "George": "Georgie", "Grace": "Gracie", "Harry": "Harrison", "Henry": "Harry",
        "Ibrahim": "Ebrahim Ibby", "Isabella": "Bella Izzy", "Jakub": "Kuba Jacob", "Jean-Luc": "Luc",
        "John-Paul": "John JP", "Kacper": "Kasper", "Layla": "Leila Laila", "Lily": "Lilian", "Louie": "Louis Lou",
        "Maja": "Maya", "Martha": "Marti", "Mary-Jane": "Mary MJ", "Maryam": "Mariam Miriam",
        "Mohammed": "Muhammad Mohamed Mo", "Muhammad": "Mohammed Mohammad Mo", "Nancy": "Nan", "Niamh": "Neve",
        "Noor": "Nour Nur", "Oliver": "Ollie", "Olivia": "Liv Livvy", "Omar": "Umar", "Oscar": "Ozzie",
        "Reggie": "Reg Reginald", "Rohan": "Ro", "Sophie": "Sophia Soph", "Teddy": "Ted Edward", "Theo": "Theodore",
        "Tommy": "Tom Thomas", "Vihaan": "Vihan", "Yusuf": "Yousuf Yusef", "Zara": "Zahra", "Zofia": "Zosia Sofia",
        "Zoltán": "Zoli",
    }.items()
}  # fmt: skip


def surnames(rng: np.random.Generator, size: int) -> pl.Series:
    """`size` surnames: about 1 in 20 of them with marks, 1 in 14 double-barrelled."""
    plain = pl.Series([stem + ending for stem in _STEMS.split() for ending in _ENDINGS.split()])
    first, second = (plain.gather(rng.integers(0, len(plain), size)) for _ in range(2))
    marked = pl.Series(_MARKED).gather(rng.integers(0, len(_MARKED), size))
    draw = pl.Series("draw", rng.random(size))
    frame = pl.DataFrame({"draw": draw, "first": first, "second": second, "marked": marked})
    return frame.select(
        pl.when(pl.col("draw") < 0.05)
        .then("marked")
        .when(pl.col("draw") < 0.12)
        .then(pl.col("first") + "-" + pl.col("second"))
        .otherwise("first")
        .alias("surname")
    )["surname"]


def forenames(rng: np.random.Generator, is_boy: np.typing.NDArray[np.bool_]) -> pl.Series:
    """A forename for each child."""
    boys, girls = (
        pl.Series(names).gather(rng.integers(0, len(names), len(is_boy))) for names in (_BOYS.split(), _GIRLS.split())
    )
    return boys.zip_with(pl.Series(is_boy), girls)
