"""Ridge, lasso and elastic net against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as reference

from helpers import datasets
from helpers.algorithms import regularization as ours

FIXED = settings(derandomize=True, deadline=None, max_examples=60)
NUMBERS = st.floats(-100, 100, allow_subnormal=False)
VECTORS = arrays(float, st.integers(1, 8), elements=NUMBERS)
TIGHT = {"tol": 1e-12, "max_iter": 100_000}
ALPHAS = [1e-3, 0.01, 0.1, 0.5, 1.0, 2.0]


def diabetes():
    return datasets.diabetes().X, datasets.diabetes().y


def random_problem(seed, n=60, d=12, wide=False):
    rng = np.random.default_rng(seed)
    n, d = (20, 40) if wide else (n, d)
    X = rng.normal(size=(n, d)) @ np.linalg.cholesky(0.4 * np.eye(d) + 0.6) + rng.normal(size=d)
    return X, X[:, :3] @ [3.0, -2.0, 1.0] + rng.normal(size=n) + 5


PROBLEMS = {"diabetes": diabetes, **{f"random {seed}": lambda seed=seed: random_problem(seed) for seed in range(3)}}


# --- penalties ------------------------------------------------------------------------------------------------------


@given(VECTORS, VECTORS.filter(lambda v: np.ptp(v) > 0))
@FIXED
def test_penalties_lie_above_their_tangents(w, other):
    z = np.resize(other, w.shape)
    for penalty, slope in ((ours.l1_penalty, ours.l1_subgradient), (ours.l2_penalty, ours.l2_gradient)):
        assert penalty(z) >= penalty(w) + slope(w) @ (z - w) - 1e-6
    assert ours.l1_penalty(w) == pytest.approx(np.linalg.norm(w, 1))
    assert ours.l2_penalty(w) == pytest.approx(np.linalg.norm(w) ** 2 / 2)


def test_gradients_equal_autograd_away_from_zero():
    w = torch.tensor([[1.5, -2.0], [0.25, -0.5]], dtype=torch.float64, requires_grad=True)
    assert_array_equal(ours.l1_subgradient(w.detach()), torch.autograd.grad(w.abs().sum(), w)[0])
    assert_array_equal(ours.l2_gradient(w.detach()), torch.autograd.grad(w.square().sum() / 2, w)[0])
    assert ours.l1_subgradient([0.0]) == 0


@given(VECTORS, st.floats(0, 50))
@FIXED
def test_soft_threshold_equals_torch_and_minimises(x, threshold):
    z = ours.soft_threshold(x, threshold)
    assert_allclose(z, torch.nn.functional.softshrink(torch.from_numpy(x), threshold), atol=1e-12)

    def objective(z):
        return (z - x) ** 2 / 2 + threshold * np.abs(z)

    for nearby in (z - 1e-3, z + 1e-3, np.zeros_like(x), x):
        assert (objective(z) <= objective(nearby) + 1e-9).all()


# --- regressions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ridge_equals_scikit_learn(problem, alpha, fit_intercept):
    X, y = PROBLEMS[problem]()
    mine = ours.Ridge(alpha, fit_intercept=fit_intercept).fit(X, y)
    theirs = reference.Ridge(alpha, fit_intercept=fit_intercept).fit(X, y)
    assert_allclose(mine.coef_, theirs.coef_, rtol=1e-8, atol=1e-9)
    assert mine.intercept_ == pytest.approx(theirs.intercept_, abs=1e-8)
    assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-9, atol=1e-8)


def test_ridge_of_zero_is_least_squares_and_takes_the_shortest_solution():
    X, y = random_problem(0, wide=True)
    X = np.hstack([X, X[:, :2]])  # two columns twice
    mine = ours.Ridge(0.0, fit_intercept=False).fit(X, y)
    assert_allclose(mine.coef_, np.linalg.lstsq(X, y)[0], atol=1e-9)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7, 0.2])
def test_elastic_net_and_lasso_equal_scikit_learn(problem, alpha, l1_ratio):
    X, y = PROBLEMS[problem]()
    mine = ours.ElasticNet(alpha, l1_ratio=l1_ratio, **TIGHT).fit(X, y)
    theirs = reference.ElasticNet(alpha, l1_ratio=l1_ratio, **TIGHT).fit(X, y)
    assert_allclose(mine.coef_, theirs.coef_, atol=1e-5 * np.abs(theirs.coef_).max(initial=1))
    assert mine.intercept_ == pytest.approx(theirs.intercept_, rel=1e-6)
    assert_array_equal(mine.coef_ == 0, theirs.coef_ == 0)
    assert mine.dual_gap_ <= 1e-12 * np.var(y) + 1e-12
    if l1_ratio == 1:
        assert_array_equal(ours.Lasso(alpha, **TIGHT).fit(X, y).coef_, mine.coef_)


@pytest.mark.parametrize("seed", range(10))
def test_lasso_of_many_features_has_the_same_zeros(seed):
    X, y = random_problem(seed, wide=True)
    mine = ours.Lasso(0.2, **TIGHT).fit(X, y)
    theirs = reference.Lasso(0.2, **TIGHT).fit(X, y)
    assert_array_equal(mine.coef_ == 0, theirs.coef_ == 0)
    assert 0 < (mine.coef_ == 0).sum() < X.shape[1]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_lasso_meets_its_optimality_conditions(alpha):
    X, y = diabetes()
    model = ours.Lasso(alpha, **TIGHT).fit(X, y)
    pull = (X - X.mean(0)).T @ (y - model.predict(X)) / len(y)
    kept = model.coef_ != 0
    assert_allclose(pull[kept], alpha * np.sign(model.coef_[kept]), atol=1e-6)
    assert (np.abs(pull[~kept]) <= alpha + 1e-9).all()


def test_elastic_net_without_l1_is_ridge():
    X, y = diabetes()
    mine = ours.ElasticNet(0.01, l1_ratio=0.0, **TIGHT).fit(X, y)
    assert_allclose(mine.coef_, ours.Ridge(0.01 * len(y)).fit(X, y).coef_, rtol=1e-6)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_path_equals_scikit_learn(problem):
    X, y = PROBLEMS[problem]()
    X, y = (X - X.mean(0)) / X.std(0), y - y.mean()
    alphas, coefs, gaps = ours.lasso_path(X, y, n_alphas=30, **TIGHT)
    theirs = reference.lasso_path(X, y, alphas=alphas, **TIGHT)
    assert_allclose(coefs, theirs[1], atol=1e-5 * np.abs(coefs).max())
    assert_array_equal(coefs[:, 1:] == 0, theirs[1][:, 1:] == 0)
    assert np.abs(coefs[:, 0]).max() < 1e-9 and np.abs(coefs[:, 1]).max() > 0
    assert (gaps <= 1e-10 * np.var(y)).all()
    assert_allclose(alphas[-1] / alphas[0], 1e-3)


def test_path_at_given_alphas_is_sorted():
    X, y = diabetes()
    alphas, coefs, _ = ours.lasso_path(X, y - y.mean(), alphas=[0.1, 1.0, 0.5], **TIGHT)
    assert_array_equal(alphas, [1.0, 0.5, 0.1])
    assert_allclose(coefs[:, 1], ours.Lasso(0.5, fit_intercept=False, **TIGHT).fit(X, y - y.mean()).coef_, atol=1e-6)


def test_lasso_path_of_the_lars_papers_data():
    """Efron et al. (2004), figure 1: bmi and s5 (ltg) enter first, then bp (map)."""
    X, y = diabetes()
    _, coefs, _ = ours.lasso_path(X, y - y.mean())
    entered = [int(np.argmax(row != 0)) for row in np.abs(coefs) > 1e-9]
    names = np.array(datasets.diabetes().features)
    assert set(names[np.argsort(entered, kind="stable")[:2]]) == {"bmi", "s5"}
    assert names[np.argsort(entered, kind="stable")[2]] == "bp"


@given(st.integers(0, 50), st.floats(0.01, 5), st.floats(1.1, 3))
@FIXED
def test_more_alpha_means_shorter_weights(seed, alpha, factor):
    X, y = random_problem(seed, n=30, d=5)
    for model, length in ((ours.Ridge, ours.l2_penalty), (ours.Lasso, ours.l1_penalty)):
        options = TIGHT if model is ours.Lasso else {}
        weak, strong = (model(a, **options).fit(X, y).coef_ for a in (alpha, alpha * factor))
        assert length(strong) <= length(weak) + 1e-8


def test_a_constant_column_gets_weight_zero():
    X, y = random_problem(0)
    X[:, 4] = 7.0
    for model in (ours.Ridge(1.0), ours.Lasso(0.1)):
        assert abs(model.fit(X, y).coef_[4]) < 1e-9


@pytest.mark.parametrize("model", [ours.Ridge(1.0), ours.Lasso(0.1), ours.ElasticNet(0.1)])
def test_a_constant_target_needs_no_weights(model):
    X, _ = random_problem(0)
    assert not model.fit(X, np.full(len(X), 3.0)).coef_.any()
    assert model.intercept_ == 3
    assert getattr(model, "dual_gap_", 0) == 0


def test_a_path_begins_with_zeros_in_one_sweep():
    """Its first alpha is the smallest that needs no weight, so nothing has to be searched for."""
    X, y = random_problem(5)
    X, y = X - X.mean(0), y - y.mean()
    _, coefs, _ = ours.lasso_path(X, y, n_alphas=1, max_iter=1)
    assert np.abs(coefs).max() < 1e-12


def test_too_few_sweeps_warn():
    with pytest.warns(UserWarning, match="not converged in 1 sweeps"):
        ours.Lasso(1e-3, max_iter=1).fit(*diabetes())


def test_without_l1_every_weight_must_settle():
    """A column of zeros never moves; the others have to stop too."""
    X, y = random_problem(1)
    X = np.hstack([X, np.zeros((len(X), 1))])
    mine = ours.ElasticNet(0.1, l1_ratio=0.0, tol=1e-10, max_iter=100_000).fit(X, y)
    assert_allclose(mine.coef_, ours.Ridge(0.1 * len(y)).fit(X, y).coef_, atol=1e-7)
    assert mine.n_iter_ > 5


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_convergence_does_not_depend_on_the_units(scale):
    X, y = random_problem(2)
    plain = ours.Lasso(0.3, tol=1e-6).fit(X, y)
    longer = ours.Lasso(0.3 * scale**2, tol=1e-6).fit(scale * X, scale * y)
    assert longer.n_iter_ == plain.n_iter_
    assert_allclose(longer.coef_, plain.coef_, rtol=1e-9)


def test_dual_gap_bounds_the_distance_from_the_optimum():
    X, y = random_problem(3)
    X, y = X - X.mean(0), y - y.mean()

    def objective(w):
        return np.sum((y - X @ w) ** 2) / (2 * len(y)) + 0.3 * (0.7 * np.abs(w).sum() + 0.3 / 2 * (w @ w))

    best = objective(ours.ElasticNet(0.3, l1_ratio=0.7, **TIGHT).fit(X, y).coef_)
    with pytest.warns(UserWarning, match="not converged in 2 sweeps"):
        early = ours.ElasticNet(0.3, l1_ratio=0.7, max_iter=2, tol=1e-12).fit(X, y)
    assert 1e-9 < objective(early.coef_) - best <= early.dual_gap_


def test_directions_without_extent_get_no_weight():
    """A third column that is the sum of the others, up to rounding: least squares must not blow the rounding up."""
    X, y = random_problem(4, d=3)
    X = X - X.mean(0)
    X[:, 2] = X[:, 0] / 3 + X[:, 1] / 7
    assert np.abs(ours.Ridge(0.0).fit(X, y).coef_).max() < 10 * np.abs(y).max()
    near = X + 1e-6 * np.random.default_rng(0).normal(size=X.shape)  # small but real: it is kept
    assert_allclose(ours.Ridge(0.0, fit_intercept=False).fit(near, y).coef_, np.linalg.lstsq(near, y)[0], rtol=1e-6)


@pytest.mark.parametrize("model", [ours.Ridge(), ours.Lasso(), ours.ElasticNet()])
def test_an_unfitted_model_says_so(model):
    with pytest.raises(ValueError, match=f"This {type(model).__name__} instance is not fitted yet. Call 'fit'"):
        model.predict([[1.0]])


# --- bad input ------------------------------------------------------------------------------------------------------

X_GOOD, Y_GOOD = np.eye(3), np.arange(3.0)
MODELS = {"Ridge": ours.Ridge, "Lasso": ours.Lasso, "ElasticNet": ours.ElasticNet}
BAD_FITS = {
    "X holds NaN": ("X", X_GOOD * np.nan, Y_GOOD),
    "X is a vector": ("X", Y_GOOD, Y_GOOD),
    "X is empty": ("X", np.empty((0, 2)), Y_GOOD),
    "X is text": ("X", [["a"]], [1.0]),
    "y holds infinity": ("y", X_GOOD, [0, np.inf, 1]),
    "y is a table": ("y", X_GOOD, X_GOOD),
    "lengths": ("y", X_GOOD, Y_GOOD[:2]),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("bad", BAD_FITS)
def test_bad_data_are_refused_by_name(model, bad):
    name, X, y = BAD_FITS[bad]
    with pytest.raises(ValueError, match=name):
        model().fit(X, y)
    with pytest.raises(ValueError, match=name):
        ours.lasso_path(X, y)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_predict_wants_the_columns_of_fit(model):
    with pytest.raises(ValueError, match="X must have 3 columns"):
        model(0.01).fit(X_GOOD, Y_GOOD).predict(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("alpha", lambda: ours.Ridge(-1).fit(X_GOOD, Y_GOOD)),
        ("alpha", lambda: ours.Lasso(np.nan).fit(X_GOOD, Y_GOOD)),
        ("alpha", lambda: ours.Ridge("much").fit(X_GOOD, Y_GOOD)),
        ("l1_ratio", lambda: ours.ElasticNet(l1_ratio=1.1).fit(X_GOOD, Y_GOOD)),
        ("max_iter", lambda: ours.Lasso(max_iter=0).fit(X_GOOD, Y_GOOD)),
        ("tol", lambda: ours.Lasso(tol=0).fit(X_GOOD, Y_GOOD)),
        ("eps", lambda: ours.lasso_path(X_GOOD, Y_GOOD, eps=1)),
        ("n_alphas", lambda: ours.lasso_path(X_GOOD, Y_GOOD, n_alphas=0)),
        ("n_alphas", lambda: ours.lasso_path(X_GOOD, Y_GOOD, n_alphas=2.5)),
        ("alphas", lambda: ours.lasso_path(X_GOOD, Y_GOOD, alphas=[1, 0])),
        ("alphas", lambda: ours.lasso_path(X_GOOD, Y_GOOD, alphas=[])),
        ("y", lambda: ours.lasso_path(X_GOOD, np.zeros(3))),
        ("x", lambda: ours.soft_threshold([np.nan], 1)),
        ("x", lambda: ours.soft_threshold([], 1)),
        ("threshold", lambda: ours.soft_threshold([1], -1)),
        ("w", lambda: ours.l1_penalty([])),
        ("w", lambda: ours.l1_subgradient([np.inf])),
        ("w", lambda: ours.l2_penalty("w")),
        ("w", lambda: ours.l2_gradient([np.nan])),
    ],
)
def test_bad_parameters_are_refused_by_name(name, call):
    with pytest.raises(ValueError, match=name):
        call()
