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


def test_rings_are_told_apart_by_their_radius():
    X, y = datasets.rings(60, noise=0.0)
    assert X.shape == (60, 2) and (y == 1).sum() == 30
    np.testing.assert_allclose(np.hypot(*X.T), np.where(y == 1, 0.45, 1.0))
    noisy, _ = datasets.rings(2000, seed=1, noise=0.2)
    clean, _ = datasets.rings(2000, seed=1, noise=0.0)
    assert (noisy - clean).std() == pytest.approx(0.2, rel=0.05)


def test_crossed_blobs_lie_at_four_corners():
    X, y = datasets.crossed(400, seed=3)
    assert X.shape == (400, 2) and y.sum() == 0
    for corner in [(1, 1), (1, -1), (-1, 1), (-1, -1)]:
        blob = X[(np.sign(X) == corner).all(axis=1)]
        np.testing.assert_allclose(blob.mean(axis=0), 0.65 * np.array(corner), atol=0.06)
    assert np.mean(np.sign(X.prod(axis=1)) == y) > 0.99


def test_two_species_are_scaled_to_their_reach():
    X, y = datasets.two_species(0, 2, [1, 3], reach=2)
    assert X.shape == (100, 2) and y.tolist() == [-1] * 50 + [1] * 50
    np.testing.assert_allclose([X.min(axis=0), X.max(axis=0)], [[-2, -2], [2, 2]])
    order = np.argsort(datasets.iris().X[np.isin(datasets.iris().y, (0, 2)), 3], kind="stable")
    assert (np.diff(X[order, 1]) >= 0).all()


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("n", lambda: datasets.rings(7)),
        ("n", lambda: datasets.rings(0)),
        ("noise", lambda: datasets.rings(4, noise=-1)),
        ("seed", lambda: datasets.rings(4, seed=-1)),
        ("n", lambda: datasets.crossed(6)),
        ("seed", lambda: datasets.crossed(4, seed=0.5)),
        ("first", lambda: datasets.two_species(3, 1, [0])),
        ("second", lambda: datasets.two_species(0, -1, [0])),
        ("features", lambda: datasets.two_species(0, 1, [4])),
        ("reach", lambda: datasets.two_species(0, 1, [0], reach=0)),
    ],
)
def test_bad_arguments_of_made_up_data_are_refused(named, call):
    with pytest.raises(ValueError, match=named):
        call()
