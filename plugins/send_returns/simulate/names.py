"""Names nobody bears: invented surnames, with the apostrophes, accents and hyphens that real registers hold."""

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
