"""The explorers of topic 14 say what an independent computation says."""

import numpy as np
import pytest
import torch

from helpers import datasets
from helpers.explorers import optimizers as explorers

from .hand import click, drag, press_key, shown

TORCH = {
    "SGD": lambda p, lr, b1, b2, wd: torch.optim.SGD(p, lr=lr, weight_decay=wd),
    "Momentum": lambda p, lr, b1, b2, wd: torch.optim.SGD(p, lr=lr, momentum=b1, weight_decay=wd),
    "Adagrad": lambda p, lr, b1, b2, wd: torch.optim.Adagrad(p, lr=lr, weight_decay=wd),
    "RMSprop": lambda p, lr, b1, b2, wd: torch.optim.RMSprop(p, lr=lr, alpha=b2, weight_decay=wd),
    "Adadelta": lambda p, lr, b1, b2, wd: torch.optim.Adadelta(p, rho=b2, weight_decay=wd),
    "Adam": lambda p, lr, b1, b2, wd: torch.optim.Adam(p, lr=lr, betas=(b1, b2), weight_decay=wd),
    "AdamW": lambda p, lr, b1, b2, wd: torch.optim.AdamW(p, lr=lr, betas=(b1, b2), weight_decay=wd),
}
HEIGHT = {
    "ravine": lambda x, y: (x**2 + 50 * y**2) / 2,
    "Rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "saddle": lambda x, y: x**2 / 2 + (y**2 - 1) ** 2 / 4,
}
BEST = "Best setting in the square"


@pytest.fixture(scope="module")
def the_race():
    explorer = explorers.Race()
    yield explorer
    explorer.close()


@pytest.fixture
def race(the_race):
    the_race.reset()
    return the_race


@pytest.fixture(scope="module")
def the_network():
    digits = datasets.digits()
    explorer = explorers.Network(digits.X / 16, digits.y, hidden=8, epochs=3)
    yield explorer
    explorer.close()


@pytest.fixture
def network(the_network):
    the_network.reset()
    return the_network


@pytest.mark.parametrize(
    ("surface", "lr", "beta1", "beta2", "decay"),
    [("ravine", 0.01, 0.5, 0.9, 0.1), ("saddle", 0.1, 0.9, 0.999, 0.0), ("Rosenbrock", 0.001, 0.0, 0.99, 0.01)],
)
def test_every_racer_runs_where_torch_runs(race, surface, lr, beta1, beta2, decay):
    """Gradients by autograd: they check the surfaces' own too."""
    readouts = race.at(surface=surface, lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay, time=40)
    for name, build in TORCH.items():
        p = torch.tensor(explorers.SURFACES[surface].start, dtype=torch.float64, requires_grad=True)
        optimizer = build([p], lr, beta1, beta2, decay)
        for _ in range(40):
            optimizer.zero_grad()
            HEIGHT[surface](*p).backward()
            optimizer.step()
        loss = HEIGHT[surface](*p).item()
        expected = pytest.approx(loss, rel=1e-6) if loss >= 1e-9 else "below 1e-09"
        assert readouts[f"loss, {name}"] == expected, name


def test_a_racer_that_leaves_the_map_is_said_to(race):
    readouts = race.at(surface="Rosenbrock", lr=1.0, time=20)
    assert readouts["loss, SGD"] == "off the map"
    assert isinstance(readouts["loss, Adadelta"], float)


def test_adadelta_does_not_hear_the_learning_rate(race):
    assert race.at(lr=0.001)["loss, Adadelta"] == race.at(lr=1.0)["loss, Adadelta"]


def test_first_step_of_adam_is_the_rate_in_both_coordinates(race):
    readouts = race.at(lr=0.1, time=1, racer="Adam")
    assert readouts["last step in x, Adam"] == pytest.approx(0.1) == readouts["last step in y, Adam"]
    readouts = race.at(lr=0.1, time=1, racer="SGD")
    assert readouts["last step in y, SGD"] == pytest.approx(0.1 * 50)  # the gradient is 50 y, and y is 1
    assert readouts["last step in x, SGD"] == pytest.approx(0.1 * 1.7)


def test_curves_end_at_the_present_step_and_leave_the_future_open(race):
    surface, loss, _ = race.figure.axes
    for time in (0, 7, 60):
        race.set(time=time)
        for axes in (surface, loss):
            assert {len(line.get_xdata()) for line in axes.lines if line.get_color() == explorers.LOOKS["Adam"][0]} == {
                time + 1
            }


def test_the_square_holds_the_loss_of_each_setting(race):
    """Its lowest place, found by asking every setting; theory says (1 + beta) times 2 / 50 is the last stable rate."""
    losses = {
        (lr, beta): race.at(lr=lr, beta1=beta)["loss, Momentum"] for lr in explorers.RATES for beta in explorers.BETAS1
    }
    (best,) = [setting for setting, loss in losses.items() if loss == "below 1e-09"]
    race.set(racer="Momentum")
    race.press(BEST)
    assert (race.lr, race.beta1) == pytest.approx(best)
    unstable = [loss for (lr, beta), loss in losses.items() if lr >= 2 * (1 + beta) / 50]
    assert all(loss == "off the map" or loss > 1 for loss in unstable) and "off the map" in unstable
    (crosses,) = [line for line in race.figure.axes[2].lines if line.get_marker() == "x"]
    gone = {(explorers.RATES[column], explorers.BETAS1[row]) for column, row in zip(*crosses.get_data(), strict=True)}
    assert gone == {setting for setting, loss in losses.items() if loss == "off the map"}


def test_nobodys_best_setting_changes_nothing(race):
    opening = race.values
    race.press(BEST)
    assert race.values == opening


def test_the_square_sets_rate_and_beta_together(race):
    square = race.figure.axes[2]
    drag(race, square, (6, 6), (8, 2))
    assert (race.lr, race.beta1) == (pytest.approx(0.1), 0.5)
    click(race, square, (4, 0))
    assert (race.lr, race.beta1) == (pytest.approx(0.01), 0.0)
    drag(race, square, (4, 0), (99, 99))
    assert (race.lr, race.beta1) == (1.0, 0.99)


def test_the_setting_moves_by_keyboard(build):
    race = build("Race")
    press_key(race, "n")
    press_key(race, "right")
    assert (race.lr, race.beta1) == (pytest.approx(10**-1.25), 0.9)
    press_key(race, "down")
    assert (race.lr, race.beta1) == (pytest.approx(10**-1.25), 0.8)


def test_time_is_scrubbed_by_mouse_and_keys(race):
    before = shown(race)
    drag(race, race.figure.axes[1], (60, 1), (100, 1))
    assert race.time == pytest.approx(100, abs=1)
    assert not np.array_equal(shown(race), before)
    now = race.time
    press_key(race, "right")
    assert race.time == now + 1


def test_network_learns_like_torch(network):
    """One optimizer, one rate: the same start and batches through autograd."""
    digits = datasets.digits()
    X, y = torch.tensor(digits.X / 16), torch.tensor(digits.y)
    cut, rng = int(0.7 * len(y)), np.random.default_rng(0)
    params = [rng.normal(size=(64, 8)) * np.sqrt(2 / 64), np.zeros((1, 8)), rng.normal(size=(8, 10)) / 2, np.zeros(10)]
    W1, b1, W2, b2 = params = [torch.tensor(p, requires_grad=True) for p in params]
    optimizer = torch.optim.RMSprop(params, lr=0.01)

    def logits(X):
        return torch.relu(X @ W1 + b1) @ W2 + b2

    orders = np.random.default_rng(0)
    for _ in range(3):
        for part in np.array_split(orders.permutation(cut), cut // 64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits(X[part]), y[part]).backward()
            optimizer.step()
    right = (logits(X[cut:]).argmax(1) == y[cut:]).double().mean().item()
    readouts = network.at(lr=0.01, epoch=3)
    assert readouts["RMSprop, rate 0.01"] == pytest.approx(right, abs=0.006)


def test_each_at_its_best_is_at_least_as_low(network):
    def final_losses():
        left, _ = network.figure.axes
        return np.array([line.get_ydata()[-1] for line in left.lines if len(line.get_xdata()) == 4])

    network.set(lr=0.01)
    common = final_losses()
    network.set(each_its_best=True)
    assert len(common) == 7 and (final_losses() <= common).all() and final_losses()[0] < common[0]
    assert network.controls["lr"].disabled


def test_the_epoch_moves_by_mouse_and_keys(network):
    drag(network, network.figure.axes[1], (3, 0.5), (1.2, 0.5))
    assert network.epoch == 1
    press_key(network, "right")
    assert network.epoch == 2


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones(300), np.zeros(300), "X must have 2 dim"),
        (np.ones((300, 2)), np.zeros(9), "same length, got X 300, y 9"),
        (np.ones((40, 2)), np.zeros(40), "batch_size must be"),
    ],
)
def test_network_refuses_what_does_not_fit(X, y, message):
    with pytest.raises(ValueError, match=message):
        explorers.Network(X, y)


@pytest.mark.parametrize(("beta1", "beta2", "noise"), [(0.9, 0.999, 0.0), (0.5, 0.9, 1.0), (0.0, 0.5, 0.3)])
def test_bias_correction_is_that_of_adam(build, beta1, beta2, noise):
    explorer = build("BiasCorrection")
    readouts = explorer.at(beta1=beta1, beta2=beta2, noise=noise, time=10, correct=True)
    p, lengths = torch.zeros(1, dtype=torch.float64, requires_grad=True), []
    optimizer = torch.optim.Adam([p], lr=1.0, betas=(beta1, beta2))
    for g in 1 + noise * np.random.default_rng(0).normal(size=60)[:10]:
        before, p.grad = p.item(), torch.tensor([g])
        optimizer.step()
        lengths.append(before - p.item())
    assert readouts["step (learning rates)"] == pytest.approx(lengths[-1], rel=1e-6)
    assert readouts["longest step so far"] == pytest.approx(max(map(abs, lengths)), rel=1e-6)
    m, v = (optimizer.state[p][name].item() for name in ("exp_avg", "exp_avg_sq"))
    assert readouts["m / E[g]"] == pytest.approx(m / (1 - beta1**10))
    readouts = explorer.at(beta1=beta1, beta2=beta2, noise=noise, time=10, correct=False)
    assert readouts["step (learning rates)"] == pytest.approx(m / (np.sqrt(v) + 1e-8), rel=1e-6)
    assert readouts["v / E[g²]"] == pytest.approx(v / (1 + noise**2))


def test_no_curve_of_bias_correction_leaves_its_picture(build):
    explorer = build("BiasCorrection")
    for beta1 in (0, 0.5, 0.9, 0.99):
        for beta2 in (0.5, 0.9, 0.999):
            for correct in (True, False):
                explorer.set(beta1=beta1, beta2=beta2, noise=1, correct=correct, time=60)
                for axes in explorer.figure.axes:
                    bottom, top = axes.get_ylim()
                    for line in axes.lines:
                        y = np.asarray(line.get_ydata(), dtype=float)
                        assert line.get_transform() != axes.transData or ((bottom < y) & (y < top)).all()
