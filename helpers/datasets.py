"""The real data of the notebooks: scikit-learn's bundled sets. Read once, kept, and never changed."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

# importing scikit-learn takes longer than all else here: what needs no more than its files reads them without it
_FILES = Path(find_spec("sklearn").origin).parent / "datasets"


class Dataset(NamedTuple):
    """A table with its target.

    Attributes
    ----------
    X : (n, d) ndarray of float64
        One row a sample. Read-only: copy it before you change it.
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
    return _table("iris")


@cache
def wine():
    """178 wines, 13 chemical measures, 3 growers (Forina 1991)."""
    return _table("wine")


@cache
def breast_cancer():
    """569 tumours, 30 measures of their cell nuclei; class 0 malignant, 1 benign (Wolberg et al. 1995)."""
    return _table("breast_cancer")


@cache
def diabetes():
    """442 patients, 10 scaled measures; the target is the disease's progression a year later (Efron et al. 2004)."""
    return _table("diabetes")


@cache
def digits():
    """1,797 handwritten digits, 8 x 8 pixels of 0 to 16 as 64 columns, 10 classes (Alpaydin and Kaynak 1998)."""
    table = np.loadtxt(_FILES / "data" / "digits.csv.gz", delimiter=",")
    features = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    return Dataset(_read_only(table[:, :-1]), _read_only(table[:, -1].astype(int)), features, tuple("0123456789"))


@cache
def photograph(name):
    """A colour photograph, 427 x 640 pixels.

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


def _table(name):
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    classes = getattr(bunch, "target_names", ())
    return Dataset(
        _read_only(bunch.data), _read_only(bunch.target), tuple(map(str, bunch.feature_names)), tuple(map(str, classes))
    )


def _read_only(array):
    array = np.array(array)
    array.flags.writeable = False
    return array
