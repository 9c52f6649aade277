"""The data of the notebooks: scikit-learn's bundled sets, read once, kept, and never changed; and two that are made up.

The files are read without importing scikit-learn, which takes longer than everything else in most first cells. Data are
made up only where a point needs a known truth.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .validation import check_integer, check_number

_FILES = Path(find_spec("sklearn").origin).parent / "datasets"


class Dataset(NamedTuple):
    """A table with its target.

    Attributes
    ----------
    X : (n, d) ndarray of float64
        One row per sample. Read-only: copy it before you change it.
    y : (n,) ndarray
        Class numbers (int64), or the quantity to predict (float64). Read-only.
    features : tuple of str
        Names of the columns of `X`.
    classes : tuple of str
        Names of the classes, in the order of their numbers; empty for a quantity.
    """

    X: np.ndarray
    y: np.ndarray
    features: tuple
    classes: tuple


@cache
def iris():
    """150 irises, 4 measures in cm, 3 species (Fisher 1936)."""
    parts = ("sepal length", "sepal width", "petal length", "petal width")
    return _classes("iris.csv", [f"{part} (cm)" for part in parts])


@cache
def wine():
    """178 wines, 13 chemical measures, 3 growers (Forina 1991)."""
    measures = """alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols
    proanthocyanins color_intensity hue od280/od315_of_diluted_wines proline"""
    return _classes("wine_data.csv", measures.split())


@cache
def breast_cancer():
    """569 tumors, 30 measures of their cell nuclei; class 0 malignant, 1 benign (Wolberg et al. 1995)."""
    measures = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points"]
    measures += ["symmetry", "fractal dimension"]
    forms = "mean {}", "{} error", "worst {}"
    return _classes("breast_cancer.csv", [form.format(measure) for form in forms for measure in measures])


@cache
def diabetes():
    """442 patients, 10 scaled measures; the target is the disease's progression a year later (Efron et al. 2004).

    Each measure has mean 0 and sum of squares 1.
    """
    X, y = (np.loadtxt(_FILES / "data" / f"diabetes_{part}.csv.gz") for part in ("data_raw", "target"))
    X = (X - X.mean(axis=0)) / X.std(axis=0) / np.sqrt(len(X))
    return Dataset(_read_only(X), _read_only(y), tuple("age sex bmi bp s1 s2 s3 s4 s5 s6".split()), ())


@cache
def digits():
    """1,797 handwritten digits, 8 x 8 pixels of 0 to 16 as 64 columns, 10 classes (Alpaydin and Kaynak 1998)."""
    table = np.loadtxt(_FILES / "data" / "digits.csv.gz", delimiter=",")
    return _dataset(table, [f"pixel_{row}_{column}" for row in range(8) for column in range(8)], "0123456789")


@cache
def photograph(name):
    """A color photograph, 427 x 640 pixels.

    Parameters
    ----------
    name : {"china.jpg", "flower.jpg"}

    Returns
    -------
    (427, 640, 3) ndarray of uint8, read-only
    """
    if name not in ("china.jpg", "flower.jpg"):
        raise ValueError(f"name must be 'china.jpg' or 'flower.jpg', got {name!r}")
    return _read_only(Image.open(_FILES / "images" / name))


def bloom():
    """The bloom of flower.jpg in gray, small enough to see its pixels.

    Returns
    -------
    (64, 96) ndarray
        From 0, black, to 1, each the mean of 5 x 5 pixels.
    """
    gray = photograph("flower.jpg")[50:370, 80:560].mean(axis=2) / 255
    return gray.reshape(64, 5, 96, 5).mean(axis=(1, 3))


def two_species(first, second, features, reach=1.1):
    """Two iris species and some of their measures, scaled to one range.

    Parameters
    ----------
    first, second : int
        The species, numbered as in `iris`.
    features : list of int
        Columns of `iris().X`.
    reach : float above 0
        Each measure runs from -reach to reach.

    Returns
    -------
    X : (100, d) ndarray
    y : (100,) ndarray of int
        -1 for the first species, 1 for the second.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    for name, species in (("first", first), ("second", second)):
        check_integer(name, species, at_least=0, at_most=2)
    columns = [check_integer("features", feature, at_least=0, at_most=3) for feature in features]
    chosen = np.isin(iris().y, (first, second))
    X = iris().X[chosen][:, columns]
    scaled = check_number("reach", reach, above=0) * (2 * (X - X.min(axis=0)) / np.ptp(X, axis=0) - 1)
    return scaled, np.where(iris().y[chosen] == second, 1, -1)


def rings(n, seed=0, noise=0.08):
    """Two noisy rings, made up: no line separates them, a circle does.

    Parameters
    ----------
    n : int, even
        Samples of both together.
    seed : int
    noise : float, at least 0
        Standard deviation; the rings have radius 0.45 and 1.

    Returns
    -------
    X : (n, 2) ndarray
    y : (n,) ndarray of int
        -1 for the outer ring, 1 for the inner one.

    Raises
    ------
    ValueError
        If `n` is odd or below 2, or a number is out of range.
    """
    y = np.repeat([-1, 1], _multiple_of(2, n) // 2)
    noise, rng = (
        check_number("noise", noise, at_least=0),
        np.random.default_rng(check_integer("seed", seed, at_least=0)),
    )
    radius, angle = np.where(y > 0, 0.45, 1.0), rng.uniform(0, 2 * np.pi, n)
    return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(scale=noise, size=(n, 2)), y


def crossed(n, seed=0):
    """The XOR of two signs, made up: four blobs, those on one diagonal of one class.

    Parameters
    ----------
    n : int, a multiple of 4
    seed : int

    Returns
    -------
    X : (n, 2) ndarray
    y : (n,) ndarray of int
        1 where the two coordinates of the blob have one sign, else -1.

    Raises
    ------
    ValueError
        If `n` is not a multiple of 4, or a number is out of range.
    """
    corner = np.tile([(-1, -1), (1, 1), (-1, 1), (1, -1)], (_multiple_of(4, n) // 4, 1))
    rng = np.random.default_rng(check_integer("seed", seed, at_least=0))
    return 0.65 * corner + rng.normal(scale=0.18, size=corner.shape), corner.prod(axis=1)


def _multiple_of(unit, n):
    if check_integer("n", n, at_least=unit) % unit:
        raise ValueError(f"n must be a multiple of {unit}, got {n}")
    return n


def _classes(file, features):
    """Read a table whose first line holds its numbers of rows and columns and the names of its classes."""
    with (_FILES / "data" / file).open(encoding="utf-8") as lines:
        _, _, *classes = next(lines).strip().split(",")
        return _dataset(np.loadtxt(lines, delimiter=","), features, classes)


def _dataset(table, features, classes):
    """The last column holds the class numbers."""
    X, y = _read_only(table[:, :-1]), _read_only(table[:, -1].astype(np.int64))
    return Dataset(X, y, tuple(features), tuple(classes))


def _read_only(array):
    array = np.array(array)
    array.flags.writeable = False
    return array
