"""The bundled data: shapes as published, offline, read once, never changed."""

import socket

import numpy as np
import pytest
import sklearn.datasets

from helpers import datasets

SHAPES = {
    "iris": (150, 4, 3),
    "wine": (178, 13, 3),
    "breast_cancer": (569, 30, 2),
    "diabetes": (442, 10, 0),
    "digits": (1797, 64, 10),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a data set asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", SHAPES)
def test_tables(name):
    data = getattr(datasets, name)()
    rows, columns, classes = SHAPES[name]
    assert data.X.shape == (rows, columns) and data.X.dtype == np.float64 and np.isfinite(data.X).all()
    assert len(data.features) == columns and len(data.classes) == classes
    assert data.y.shape == (rows,)
    if classes:
        assert set(data.y) == set(range(classes))
    assert getattr(datasets, name)() is data


@pytest.mark.parametrize("name", SHAPES)
def test_tables_are_those_of_scikit_learn(name):
    ours, theirs = getattr(datasets, name)(), getattr(sklearn.datasets, f"load_{name}")()
    np.testing.assert_allclose(ours.X, theirs.data, rtol=0, atol=1e-15 if name == "diabetes" else 0)  # scaled by us
    assert np.array_equal(ours.y, theirs.target)
    assert ours.y.dtype == theirs.target.dtype
    assert list(ours.features) == list(theirs.feature_names)
    assert list(ours.classes) == list(map(str, theirs.get("target_names", ())))


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_photographs(name):
    photograph = datasets.photograph(name)
    assert photograph.shape == (427, 640, 3) and photograph.dtype == np.uint8
    assert datasets.photograph(name) is photograph
    assert np.array_equal(photograph, sklearn.datasets.load_sample_image(name))


def test_data_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        datasets.iris().X[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        datasets.photograph("china.jpg")[0] = 0


def test_unknown_photograph_is_refused():
    with pytest.raises(ValueError, match=r"name must be 'china.jpg' or 'flower.jpg', got 'cat.jpg'"):
        datasets.photograph("cat.jpg")
