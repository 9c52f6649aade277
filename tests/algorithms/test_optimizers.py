"""The six optimizers against torch.optim, their properties, and the bad input they refuse."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.algorithms import optimizers
from helpers.algorithms.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop

ALL = SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW


def combinations(**choices):
    """Every combination of the choices, as keyword arguments."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


OPTIONS = {
    "SGD": [
        {"lr": 0.01, "momentum": 0.9, "nesterov": True},
        {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True},
        *combinations(
            lr=[0.01], momentum=[0, 0.9], dampening=[0, 0.3, -0.2], weight_decay=[0, 0.1], maximize=[False, True]
        ),
    ],
    "Adagrad": combinations(
        lr=[0.1], lr_decay=[0, 0.05], weight_decay=[0, 0.1], initial_accumulator_value=[0, 0.5], maximize=[False, True]
    ),
    "RMSprop": combinations(
        alpha=[0.7],
        eps=[1e-3],
        weight_decay=[0, 0.1],
        momentum=[0, 0.8],
        centered=[False, True],
        maximize=[False, True],
    ),
    "Adadelta": combinations(lr=[0.3], rho=[0.5], eps=[1e-3], weight_decay=[0, 0.1], maximize=[False, True]),
    "Adam": combinations(
        betas=[(0.5, 0.8)],
        eps=[1e-3],
        weight_decay=[0, 0.1],
        amsgrad=[False, True],
        maximize=[False, True],
        decoupled_weight_decay=[False, True],
    ),
    "AdamW": combinations(
        betas=[(0.5, 0.8)], eps=[1e-3], weight_decay=[0, 0.1], amsgrad=[False, True], maximize=[False, True]
    ),
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id="-".join([name, *(f"{k}={v}" for k, v in options.items())]))
        for name, choices in OPTIONS.items()
        for options in [{}, *choices]
    ],
)
def test_equals_torch_after_200_steps(name, options):
    """On a noisy bowl, or a hill to climb, whose 32 directions differ by six orders of magnitude."""
    rng = np.random.default_rng(0)
    start, center = rng.normal(size=(2, 4, 8))
    curvature, noise = np.logspace(-6, 0, 32).reshape(4, 8), rng.normal(size=(200, 4, 8))
    curvature = -curvature if options.get("maximize") else curvature
    ours, theirs = [start.copy(), start[0].copy()], [torch.tensor(start), torch.tensor(start[0])]
    optimizer, reference = getattr(optimizers, name)(**options), getattr(torch.optim, name)(theirs, **options)
    for e in noise:
        optimizer.step(ours, [curvature * (ours[0] - center + e), curvature[0] * (ours[1] + e[0])])
        theirs[0].grad = torch.tensor(curvature * (theirs[0].numpy() - center + e))
        theirs[1].grad = torch.tensor(curvature[0] * (theirs[1].numpy() + e[0]))
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        assert np.abs(p - q.numpy()).max() < 1e-10
    assert np.abs(ours[0] - start).max() > 1e-3


@pytest.mark.parametrize("kind", ALL)
def test_defaults_are_those_of_torch(kind):
    theirs = getattr(torch.optim, kind.__name__)([torch.zeros(1)]).defaults
    ours = vars(kind())
    for name, value in theirs.items():
        if name not in ("foreach", "fused", "capturable", "differentiable"):
            assert ours[name] == value, name


GRADIENTS = arrays(np.float64, (6, 4), elements=st.floats(-100, 100).filter(lambda g: g == 0 or abs(g) > 1e-3))
quick = settings(derandomize=True, deadline=None, max_examples=50)


@quick
@given(GRADIENTS, st.sampled_from(ALL))
def test_every_entry_steps_by_itself(grads, kind):
    together, apart = np.ones(4), [np.ones(1) for _ in range(4)]
    one, four = kind(), kind()
    for g in grads:
        one.step(together, g)
        four.step(apart, [g[i : i + 1] for i in range(4)])
    np.testing.assert_array_equal(together, np.concatenate(apart))


@quick
@given(GRADIENTS, st.sampled_from(ALL))
def test_maximize_is_the_negated_gradient(grads, kind):
    up, down = np.ones(4), np.ones(4)
    climber, other = kind(maximize=True), kind()
    for g in grads:
        climber.step(up, g)
        other.step(down, -g)
    np.testing.assert_array_equal(up, down)


@quick
@given(GRADIENTS)
def test_adagrad_never_lengthens_its_rate(grads):
    p, optimizer, rate = np.zeros(4), Adagrad(lr=0.1), np.full(4, np.inf)
    for g in grads:
        optimizer.step(p, g)
        new = 0.1 / (np.sqrt(optimizer.state[0]["G"]) + 1e-10)
        assert (new <= rate).all()
        rate = new


@quick
@given(GRADIENTS, st.sampled_from((0.01, 100.0)))
def test_adam_does_not_feel_the_scale_of_the_loss(grads, scale):
    plain, scaled = np.zeros(4), np.zeros(4)
    one, other = Adam(eps=0), Adam(eps=0)
    for g in grads + 0.5:  # no entry stays 0, or 0/0 would follow
        g = np.where(g == 0, 1.0, g)
        one.step(plain, g)
        other.step(scaled, scale * g)
    np.testing.assert_allclose(scaled, plain, atol=1e-12)


@pytest.mark.parametrize("g", [1e-3, 1.0, -50.0])
def test_first_step_of_adam_is_the_learning_rate(g):
    p = Adam(lr=0.01, eps=0).step(np.zeros(1), np.array([g]))
    assert p[0] == pytest.approx(-0.01 * np.sign(g))


def test_adamw_is_adam_without_decay_and_shrinks_without_gradient():
    plain, other = np.ones(4), np.ones(4)
    one, two = Adam(), AdamW(weight_decay=0)
    for g in np.random.default_rng(0).normal(size=(20, 4)):
        one.step(plain, g)
        two.step(other, g)
    np.testing.assert_array_equal(plain, other)
    assert AdamW(lr=0.1, weight_decay=0.5).step(np.ones(3), np.zeros(3)).tolist() == [0.95] * 3


def test_parameters_change_in_place_and_are_returned():
    w, b = np.ones((2, 2)), np.ones(2)
    params = [w, b]
    assert SGD(lr=1).step(params, [np.ones((2, 2)), np.zeros(2)]) is params
    assert w.tolist() == [[0, 0], [0, 0]] and b.tolist() == [1, 1]


ARRAYS = {
    SGD: {"lr": [0.1, 0.2], "momentum": [0.9, 0.5], "dampening": [0.1, 0.2], "weight_decay": [0.1, 0.0]},
    Adagrad: {"lr": [0.1, 0.2], "lr_decay": [0.1, 0.0], "initial_accumulator_value": [0.0, 1.0], "eps": [0.1, 0.2]},
    RMSprop: {"lr": [0.1, 0.2], "alpha": [0.9, 0.5], "eps": [0.1, 0.2], "momentum": [0.9, 0.0]},
    Adadelta: {"lr": [0.1, 0.2], "rho": [0.9, 0.5], "eps": [0.1, 0.2]},
    Adam: {"lr": [0.1, 0.2], "betas": ([0.9, 0.5], [0.99, 0.9]), "eps": [0.1, 0.2], "weight_decay": [0.1, 0.0]},
    AdamW: {"lr": [0.1, 0.2], "betas": ([0.9, 0.5], [0.99, 0.9]), "eps": [0.1, 0.2], "weight_decay": [0.1, 0.0]},
}


@pytest.mark.parametrize("kind", ALL)
def test_arrays_of_settings_are_runs_of_their_own(kind):
    """Two runs as two rows: each as if it were alone."""

    def pick(value, run):
        return tuple(pick(part, run) for part in value) if isinstance(value, tuple) else value[run]

    column = {name: pick_column(value) for name, value in ARRAYS[kind].items()}
    start = np.array([[1.7, -1.0, 0.5], [0.3, 2.0, -1.0]])
    together = kind(**column).path(lambda p: np.sin(3 * p) + p, start, 12)
    for run in range(2):
        alone = kind(**{name: pick(value, run) for name, value in ARRAYS[kind].items()})
        np.testing.assert_allclose(
            together[:, run], alone.path(lambda p: np.sin(3 * p) + p, start[run], 12), atol=1e-13
        )


def pick_column(value):
    return tuple(map(pick_column, value)) if isinstance(value, tuple) else np.array(value)[:, None]


def test_a_rate_may_change_between_steps():
    optimizer = SGD(lr=0.1)
    p = optimizer.step(np.zeros(2), np.ones(2))
    optimizer.lr = 1.0
    np.testing.assert_allclose(optimizer.step(p, np.ones(2)), [-1.1, -1.1])


def test_the_formulas_are_what_the_classes_do():
    p, g, b, m, v = np.random.default_rng(0).random((5, 4))
    sgd, adamw = SGD(0.1, 0.9, nesterov=True), AdamW(0.1, (0.8, 0.9), 0.01, 0.3)
    first = sgd.path(lambda _: g, p, 2)
    q, buffer = optimizers.momentum_step(p, g, np.zeros(4), 0.1, 0.9, nesterov=True)
    np.testing.assert_allclose(first[1:], [q, optimizers.momentum_step(q, g, buffer, 0.1, 0.9, nesterov=True)[0]])
    walk, state = [p], (np.zeros(4), np.zeros(4))
    for t in (1, 2, 3):
        q, *state = optimizers.adamw_step(walk[-1], g, *state, t, 0.1, 0.8, 0.9, 0.01, 0.3)
        walk.append(q)
    np.testing.assert_allclose(adamw.path(lambda _: g, p, 3), walk)
    for step, arguments in (
        (optimizers.momentum_step, (p, g, b, 0.1, 0.9)),
        (optimizers.adagrad_step, (p, g, v, 0.1, 1e-8)),
        (optimizers.rmsprop_step, (p, g, v, 0.1, 0.9, 1e-8)),
        (optimizers.centered_rmsprop_step, (p, g, v, m, 0.1, 0.9, 1e-8)),
        (optimizers.adadelta_step, (p, g, v, m, 0.1, 0.9, 1e-8)),
        (optimizers.amsgrad_step, (p, g, m, v, v, 2, 0.1, 0.9, 0.99, 1e-8)),
        (optimizers.adamw_step, (p, g, m, v, 2, 0.1, 0.9, 0.99, 1e-8, 0.1)),
    ):
        before = [np.copy(a) for a in arguments]
        step(*arguments)
        for a, kept in zip(arguments, before, strict=True):
            np.testing.assert_array_equal(a, kept, err_msg=f"{step.__name__} changed its argument")


@pytest.mark.parametrize(
    ("after_the_silence", "longest"),
    [
        ([1.0], 3.16),
        (np.ones(30), 6.57),
        ((0.999 / 0.9) ** np.arange(100), 0.1 / 0.001**0.5 / (1 - 0.81 / 0.999) ** 0.5),
    ],
    ids=["a spike", "steady", "growing"],
)
def test_how_long_a_step_of_adam_can_be(after_the_silence, longest):
    """The last one is the bound by Cauchy and Schwarz, 7.27; the spike is not the worst case."""
    m, v, steps = 0.0, 0.0, []
    for t, g in enumerate(after_the_silence, start=100_000):
        p, m, v = optimizers.adam_step(0.0, g, m, v, t, 1.0, 0.9, 0.999, 1e-12)
        steps.append(-p)
    assert max(steps) == pytest.approx(longest, rel=2e-3)


def test_adam_at_its_default_betas_fails_on_a_rare_large_gradient():
    """Reddi, Kale and Kumar (2018), theorem 2: the mean gradient is positive, and the weight goes up."""
    w, m, v = 0.0, 0.0, 0.0
    for t in range(1, 60_001):
        g = 20_000 if t % 20_000 == 1 else -1
        w, m, v = optimizers.adam_step(w, g, m, v, t, 0.01, 0.9, 0.999, 1e-8)
    assert w > 100


def test_the_bias_correction_lets_the_rate_of_amsgrad_rise_at_first():
    rates, v, v_max = [], 0.0, 0.0
    for t, g in enumerate([1.0, 1e-6, 1e-6], start=1):
        p, _, v, v_max = optimizers.amsgrad_step(0.0, g, 0.0, v, v_max, t, 1.0, 0.0, 0.999, 1e-12)
        rates.append(-p / g)
    np.testing.assert_allclose(rates, np.sqrt([1, 1.999, 2.997001]), rtol=1e-6)


def test_the_variance_of_a_steady_gradient_is_not_negative():
    p = RMSprop(centered=True, alpha=0.9).path(lambda p: np.full(50, 0.1) * np.arange(50), np.zeros(50), 400)
    assert np.isfinite(p).all()


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("named", "second", "options"),
    [("params must be writable", read_only(), {}), ("broadcast", np.ones(3), {"lr": np.full((2, 1), 0.1)})],
)
def test_a_refused_step_moves_nothing(kind, named, second, options):
    optimizer, params = kind(**options), [np.ones((2, 2)) if options else np.ones(2), second]
    with pytest.raises(ValueError, match=named):
        optimizer.step(params, [np.ones_like(p) for p in params])
    assert optimizer.t == 0
    assert all((p == 1).all() for p in params)
    assert not any(array.any() for state in optimizer.state for array in state.values())


def bowl(w):
    return np.array([[3.0, 1.0], [1.0, 0.5]]) @ (w - np.array([1.0, -2.0]))


@pytest.mark.parametrize("kind", ALL)
def test_a_path_is_every_stop_of_single_steps(kind):
    walker, stepper, p = kind(), kind(), np.array([1.7, -1.0])
    stops = [p.copy()] + [stepper.step(p, bowl(p)).copy() for _ in range(30)]
    np.testing.assert_array_equal(walker.path(bowl, [1.7, -1.0], 10), stops[:11])
    np.testing.assert_array_equal(walker.path(bowl, stops[10], 20), stops[10:])  # it walks on from where it stands


def test_a_gradient_that_returns_its_own_argument_is_not_changed_by_the_step():
    itself, copied = (AdamW(lr=0.1, weight_decay=0.5).path(gradient, [1.0], 5) for gradient in (lambda p: p, np.copy))
    np.testing.assert_array_equal(itself, copied)


def test_weight_decay_is_the_penalty_in_sgd_and_adam_but_not_in_adamw():
    def run(kind, gradient=bowl, weight_decay=0.5):
        return kind(lr=0.01, weight_decay=weight_decay).path(gradient, [2.0, 1.5], 4000)

    def penalized(w):
        return bowl(w) + 0.5 * w

    np.testing.assert_allclose(run(SGD), run(SGD, penalized, 0), atol=1e-12)
    np.testing.assert_allclose(run(Adam), run(Adam, penalized, 0), atol=1e-12)
    assert np.abs(run(AdamW) - run(AdamW, penalized, 0)).max() > 0.1
    minimum = np.linalg.solve(np.array([[3.5, 1.0], [1.0, 1.0]]), -bowl(np.zeros(2)))
    for kind, arrives in ((SGD, True), (Adam, True), (AdamW, False)):
        assert (np.abs(run(kind)[-1] - minimum).max() < 1e-3) == arrives


def test_without_a_loss_adam_takes_equal_steps_and_the_others_shrink():
    w = np.array([4.0, 0.4])
    last = {kind: kind(lr=0.01, weight_decay=0.1).path(np.zeros_like, w, 10)[-1] for kind in (SGD, Adam, AdamW)}
    np.testing.assert_allclose(last[SGD], w * (1 - 0.001) ** 10)
    np.testing.assert_allclose(last[AdamW], last[SGD])
    np.testing.assert_allclose(last[Adam], w - 0.1, atol=1e-3)


@pytest.mark.parametrize(
    ("optimizer", "arrays_a_weight"),
    [
        (SGD(), 0),
        (SGD(momentum=0.9), 1),
        (Adagrad(), 1),
        (RMSprop(), 1),
        (RMSprop(centered=True, momentum=0.9), 3),
        (Adadelta(), 2),
        (Adam(), 2),
        (Adam(amsgrad=True), 3),
        (AdamW(), 2),
    ],
)
def test_state_bytes_counts_what_torch_keeps(optimizer, arrays_a_weight):
    assert optimizer.state_bytes == 0
    optimizer.step([np.ones((10, 10)), np.ones(7)], [np.ones((10, 10)), np.ones(7)])
    assert optimizer.state_bytes == arrays_a_weight * 107 * 8


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("params", "grads", "named"),
    [
        ([np.ones(2)], [np.array([1, np.nan])], "grads"),
        ([np.ones(2)], [np.array([1, np.inf])], "grads"),
        ([np.array([1, np.nan])], [np.ones(2)], "params"),
        ([np.ones(2)], [np.ones(3)], "grads"),
        ([np.ones(2)], [], "grads"),
        ([], [], "params"),
        ([np.ones(2), np.ones(2)], [np.ones(2)], "grads"),
        ([np.ones(0)], [np.ones(0)], "params"),
        ([np.ones(2, dtype=np.float32)], [np.ones(2)], "params"),
        ([[1.0, 2.0]], [np.ones(2)], "params"),
        ([np.ones(2)], ["up"], "grads"),
    ],
)
def test_bad_step_is_refused(kind, params, grads, named):
    with pytest.raises(ValueError, match=named):
        kind().step(params, grads)


@pytest.mark.parametrize("kind", ALL)
def test_other_parameters_than_at_first_are_refused(kind):
    optimizer = kind()
    optimizer.step(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="params must keep the shapes"):
        optimizer.step(np.ones(3), np.ones(3))


@pytest.mark.parametrize(
    ("named", "gradient", "start", "steps"),
    [
        ("start", bowl, [np.nan, 1], 1),
        ("start", bowl, [], 1),
        ("start", bowl, "here", 1),
        ("start must keep the shape", np.sign, np.ones(3), 1),
        ("gradient", lambda p: p * np.nan, np.ones(2), 1),
        ("gradient", lambda p: p[:1], np.ones(2), 1),
        ("gradient", lambda p: None, np.ones(2), 1),
        ("steps", bowl, np.ones(2), 0),
        ("steps", bowl, np.ones(2), 1.5),
    ],
)
def test_bad_path_is_refused(named, gradient, start, steps):
    optimizer = Adam()
    optimizer.step(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=named):
        optimizer.path(gradient, start, steps)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {name: value}) for kind in ALL for name in ("lr", "weight_decay") for value in (-1, np.nan, "fast")),
        *((kind, {"maximize": "yes"}) for kind in ALL),
        *((kind, {"eps": -1e-8}) for kind in ALL[1:]),
        (SGD, {"momentum": -0.1}),
        (SGD, {"dampening": np.inf}),
        (SGD, {"nesterov": True}),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
        (SGD, {"nesterov": None}),
        (Adagrad, {"lr_decay": -1}),
        (Adagrad, {"initial_accumulator_value": -1}),
        (RMSprop, {"alpha": 1.1}),
        (RMSprop, {"momentum": -1}),
        (RMSprop, {"centered": 2}),
        (Adadelta, {"rho": -0.1}),
        *(
            (kind, {"betas": betas})
            for kind in (Adam, AdamW)
            for betas in ((0.9,), (1, 0.9), (0.9, 1), (-0.1, 0.9), 0.9, (0.9, np.nan))
        ),
        (AdamW, {"amsgrad": "no"}),
        (Adam, {"decoupled_weight_decay": 3}),
        (SGD, {"lr": [0.1, -0.1]}),
        (SGD, {"lr": [0.1, np.nan]}),
        (SGD, {"nesterov": True, "momentum": [0.9, 0.0]}),
        (Adam, {"betas": (np.array([0.9, 1.0]), 0.9)}),
        (RMSprop, {"alpha": [0.5, 1.5]}),
    ],
)
def test_bad_options_are_refused(kind, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(**options)
