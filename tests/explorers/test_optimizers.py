"""The explorers of topic 14 say what an independent computation says."""

import numpy as np
import pytest
import torch

from helpers import datasets
from helpers.explorers import optimizers as explorers

from .hand import drag, press_key


@pytest.fixture(scope="module")
def race():
    explorer = explorers.race()
    explorer.canvas.draw()
    yield explorer
    explorer.close()


@pytest.fixture(scope="module")
def network():
    digits = datasets.digits()
    explorer = explorers.network(digits.X / 16, digits.y, hidden=8, epochs=3)
    explorer.canvas.draw()
    yield explorer
    explorer.close()


@pytest.fixture(autouse=True)
def from_the_start(request):
    for name in {"race", "network"} & set(request.fixturenames):
        request.getfixturevalue(name).reset()


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


@pytest.mark.parametrize(
    ("surface", "lr", "beta1", "beta2", "decay"),
    [("ravine", 0.01, 0.5, 0.9, 0.1), ("saddle", 0.1, 0.9, 0.999, 0.0), ("Rosenbrock", 0.001, 0.0, 0.99, 0.01)],
)
def test_every_racer_runs_where_torch_runs(race, surface, lr, beta1, beta2, decay):
    """Gradients by autograd: they check the surfaces' own too."""
    readouts = race.set(surface=surface, lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay, time=40)
    for name, build in TORCH.items():
        p = torch.tensor(explorers.SURFACES[surface][1], dtype=torch.float64, requires_grad=True)
        optimizer = build([p], lr, beta1, beta2, decay)
        for _ in range(40):
            optimizer.zero_grad()
            HEIGHT[surface](*p).backward()
            optimizer.step()
        assert readouts[f"loss, {name}"] == pytest.approx(HEIGHT[surface](*p).item(), rel=1e-6), name


def test_a_racer_that_leaves_the_map_is_said_to(race):
    readouts = race.set(surface="Rosenbrock", lr=1.0, time=20)
    assert readouts["loss, SGD"] == "off the map"
    assert isinstance(readouts["loss, Adadelta"], float)


def test_adadelta_does_not_hear_the_learning_rate(race):
    assert race.set(lr=0.001)["loss, Adadelta"] == race.set(lr=1.0)["loss, Adadelta"]


def test_first_step_of_adam_is_the_rate_in_both_coordinates(race):
    readouts = race.set(lr=0.1, time=1, weight_decay=0.0)
    assert readouts["step in x, Adam"] == pytest.approx(0.1) == readouts["step in y, Adam"]
    readouts = race.set(racer="SGD")
    assert readouts["step in y, SGD"] == pytest.approx(0.1 * 50)  # the gradient is 50 y, and y is 1
    assert readouts["step in x, SGD"] == pytest.approx(0.1 * 1.7)


def test_time_is_scrubbed_by_mouse_and_keys(race):
    drag(race, race._pointer._handles[0].axes, (60, 1), (100, 1))
    assert race.values["time"] == pytest.approx(100, abs=1)
    before = race.values["time"]
    press_key(race, "right")
    assert race.values["time"] > before
    assert len(race._live[2].get_xdata()) == race.values["time"] + 1


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
    readouts = network.set(lr=0.01, epoch=3)
    assert readouts["RMSprop, rate 0.01: test accuracy"] == pytest.approx(right, abs=0.005)


def test_each_at_its_best_is_at_least_as_low(network):
    def final_losses():
        return [line.get_ydata()[-1] for line in network._live[:14:2]]

    common = network.set(lr=0.01) and final_losses()
    best = network.set(each_its_best=True) and final_losses()
    assert (np.array(best) <= common).all() and best[0] < common[0]


@pytest.mark.parametrize(("X", "y"), [(np.ones(300), np.zeros(300)), (np.ones((300, 2)), np.zeros(9))])
def test_network_refuses_what_does_not_fit(X, y):
    with pytest.raises(ValueError, match="X must be"):
        explorers.network(X, y)


@pytest.mark.parametrize(("beta1", "beta2", "noise"), [(0.9, 0.999, 0.0), (0.5, 0.9, 1.0), (0.0, 0.5, 0.3)])
def test_bias_correction_is_that_of_adam(beta1, beta2, noise):
    explorer = explorers.bias_correction()
    readouts = explorer.set(beta1=beta1, beta2=beta2, noise=noise, time=10, correct=True)
    p, lengths = torch.zeros(1, dtype=torch.float64, requires_grad=True), []
    optimizer = torch.optim.Adam([p], lr=1.0, betas=(beta1, beta2))
    for g in 1 + noise * np.random.default_rng(0).normal(size=60)[:10]:
        before, p.grad = p.item(), torch.tensor([g])
        optimizer.step()
        lengths.append(before - p.item())
    assert readouts["step, corrected (learning rates)"] == pytest.approx(lengths[-1], rel=1e-6)
    m, v = (optimizer.state[p][name].item() for name in ("exp_avg", "exp_avg_sq"))
    assert readouts["step, not corrected (learning rates)"] == pytest.approx(m / (np.sqrt(v) + 1e-8), rel=1e-6)
    assert readouts["m / E[g]"] == pytest.approx(m / (1 - beta1**10))
    assert explorer.set(correct=False)["v / E[g²]"] == pytest.approx(v / (1 + noise**2))
    explorer.close()
