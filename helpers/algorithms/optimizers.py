"""Six optimizers: how a gradient becomes a step.

Names, arguments and defaults are those of `torch.optim`; its arguments ``foreach``, ``fused``, ``capturable`` and
``differentiable``, which change how a step is computed and not what it is, have no place here. All formulas hold entry
by entry. In them g is the gradient, p the parameter, and t counts the steps from 1.

References
----------
Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12 (2011).
Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701 (2012).
Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
"""

import numpy as np

from .validation import check_array, check_choice, check_integer, check_number


class Optimizer:
    """What the six share. A subclass says how one parameter begins, and how it steps.

    The constructor's arguments become attributes that may be changed between steps, as a schedule does. An array that
    broadcasts against the parameters gives each entry a value of its own.

    Attributes
    ----------
    t : int
        Steps made so far.
    state : list of dict
        For each parameter, what is remembered of its gradients: name -> array of the parameter's shape.
    """

    def __init__(self, lr, weight_decay, maximize):
        self.lr = check_number("lr", lr, at_least=0)
        self.weight_decay = check_number("weight_decay", weight_decay, at_least=0)
        self.maximize = check_choice("maximize", maximize, (True, False))
        self.t, self.state = 0, []

    def step(self, params, grads):
        """Make one step.

        Parameters
        ----------
        params : list of ndarray of float64, or one of them
            Changed in place.
        grads : list of array_like, or one of them
            Gradients of the loss, in the order and of the shapes of `params`.

        Returns
        -------
        `params`

        Raises
        ------
        ValueError
            If a parameter is no array of float64, a gradient has another shape than its parameter, a number is NaN or
            infinite, or the parameters differ in number or shape from those of the first step.
        """
        p_list, g_list = _checked(params, grads)
        self._remember("params", p_list)
        self._advance(p_list, g_list)
        return params

    def path(self, gradient, start, steps):
        """Walk on from one array of parameters and keep every stop.

        Parameters
        ----------
        gradient : callable
            Takes the parameters and returns the gradient of the loss there, of the same shape.
        start : array_like of any shape
        steps : int, at least 1

        Returns
        -------
        (steps + 1, ...) ndarray
            The parameters before the first step and after each one.

        Raises
        ------
        ValueError
            If `start` or a gradient is not numeric or holds NaN or infinity, a gradient has another shape than `start`,
            `start` another than in an earlier step, or `steps` is below 1.
        """
        p = check_array("start", start).copy()
        self._remember("start", [p])
        path = [p.copy()]
        for _ in range(check_integer("steps", steps, at_least=1)):
            g = check_array("gradient", gradient(path[-1]))
            if g.shape != p.shape:
                raise ValueError(f"gradient must return the shape of start, {p.shape}, got {g.shape}")
            self._advance([p], [g])
            path.append(p.copy())
        return np.stack(path)

    def _remember(self, name, params):
        """Begin the state before the first step; later, refuse what does not fit it."""
        shapes = [p.shape for p in params]
        if self.t == 0:
            self._shapes, self.state = shapes, [self._begin(p) for p in params]
        if shapes != self._shapes:
            raise ValueError(f"{name} must keep the shapes of the first step, {self._shapes}, got {shapes}")

    def _advance(self, params, grads):
        self.t += 1
        for p, g, state in zip(params, grads, self.state, strict=True):
            self._step(p, -g if self.maximize else g, state)

    @property
    def state_bytes(self):
        """Memory that the state takes, in bytes."""
        return sum(array.nbytes for state in self.state for array in state.values())


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum: b = momentum b + (1 - dampening) g, then p -= lr b.

    Parameters
    ----------
    lr : float, at least 0
        Learning rate.
    momentum : float, at least 0
        How much of the last step's direction b is kept. The first b is g, without dampening.
    dampening : float
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    nesterov : bool
        Look one step ahead: p -= lr (g + momentum b). Needs momentum and no dampening.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError
        If an argument lies outside its limits.
    """

    def __init__(self, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, *, maximize=False):
        super().__init__(lr, weight_decay, maximize)
        self.momentum = check_number("momentum", momentum, at_least=0)
        self.dampening = check_number("dampening", dampening)
        self.nesterov = check_choice("nesterov", nesterov, (True, False))
        if nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise ValueError("nesterov needs momentum above 0 and dampening 0")

    def _begin(self, p):
        return {}

    def _step(self, p, g, state):
        g = g + self.weight_decay * p
        if np.any(self.momentum):
            b = self.momentum * state["b"] + (1 - self.dampening) * g if state else g
            state["b"] = b
            g = g + self.momentum * b if self.nesterov else b
        p -= self.lr * g


class Adagrad(Optimizer):
    """Divide by the root of all squared gradients so far: G += g^2, then p -= lr g / (sqrt(G) + eps).

    Parameters
    ----------
    lr : float, at least 0
    lr_decay : float, at least 0
        lr is divided by 1 + (t - 1) lr_decay.
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    initial_accumulator_value : float, at least 0
        What G starts from.
    eps : float, at least 0
    maximize : bool

    Raises
    ------
    ValueError
        If an argument lies outside its limits.
    """

    def __init__(
        self, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, *, maximize=False
    ):
        super().__init__(lr, weight_decay, maximize)
        self.lr_decay = check_number("lr_decay", lr_decay, at_least=0)
        self.initial_accumulator_value = check_number(
            "initial_accumulator_value", initial_accumulator_value, at_least=0
        )
        self.eps = check_number("eps", eps, at_least=0)

    def _begin(self, p):
        return {"G": np.full_like(p, self.initial_accumulator_value)}

    def _step(self, p, g, state):
        g = g + self.weight_decay * p
        state["G"] += g**2
        p -= self.lr / (1 + (self.t - 1) * self.lr_decay) * g / (np.sqrt(state["G"]) + self.eps)


class RMSprop(Optimizer):
    """Divide by the root of a running mean of squares: v = alpha v + (1 - alpha) g^2, p -= lr g / (sqrt(v) + eps).

    Hinton proposed it in lecture 6e of his Coursera course (2012).

    Parameters
    ----------
    lr : float, at least 0
    alpha : float in [0, 1]
        How much of the running mean is kept.
    eps : float, at least 0
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    momentum : float, at least 0
        b = momentum b + g / (sqrt(v) + eps), then p -= lr b.
    centered : bool
        Divide by the running standard deviation instead: subtract the square of the running mean from v.
    maximize : bool

    Raises
    ------
    ValueError
        If an argument lies outside its limits.
    """

    def __init__(
        self, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, *, maximize=False
    ):
        super().__init__(lr, weight_decay, maximize)
        self.alpha = check_number("alpha", alpha, at_least=0, at_most=1)
        self.eps = check_number("eps", eps, at_least=0)
        self.momentum = check_number("momentum", momentum, at_least=0)
        self.centered = check_choice("centered", centered, (True, False))

    def _begin(self, p):
        wanted = {"v": True, "mean": self.centered, "b": np.any(self.momentum)}
        return {name: np.zeros_like(p) for name, needed in wanted.items() if needed}

    def _step(self, p, g, state):
        g = g + self.weight_decay * p
        v = state["v"] = self.alpha * state["v"] + (1 - self.alpha) * g**2
        if self.centered:
            state["mean"] += (1 - self.alpha) * (g - state["mean"])
            v = v - state["mean"] ** 2
        g = g / (np.sqrt(v) + self.eps)
        if np.any(self.momentum):
            g = state["b"] = self.momentum * state["b"] + g
        p -= self.lr * g


class Adadelta(Optimizer):
    """The step has the unit of p: d = sqrt(u + eps) / sqrt(v + eps) g, with running means v of g^2 and u of d^2.

    Parameters
    ----------
    lr : float, at least 0
        Scales d. The paper has none: 1.
    rho : float in [0, 1]
        How much of the running means is kept.
    eps : float, at least 0
        Also sets the size of the first steps, for u starts from 0.
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    maximize : bool

    Raises
    ------
    ValueError
        If an argument lies outside its limits.
    """

    def __init__(self, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, *, maximize=False):
        super().__init__(lr, weight_decay, maximize)
        self.rho = check_number("rho", rho, at_least=0, at_most=1)
        self.eps = check_number("eps", eps, at_least=0)

    def _begin(self, p):
        return {"v": np.zeros_like(p), "u": np.zeros_like(p)}

    def _step(self, p, g, state):
        g = g + self.weight_decay * p
        v = state["v"] = self.rho * state["v"] + (1 - self.rho) * g**2
        d = np.sqrt(state["u"] + self.eps) / np.sqrt(v + self.eps) * g
        state["u"] = self.rho * state["u"] + (1 - self.rho) * d**2
        p -= self.lr * d


class Adam(Optimizer):
    """Running means m of g and v of g^2, both divided by the weight they hold so far; p -= lr m / (sqrt(v) + eps).

    Parameters
    ----------
    lr : float, at least 0
    betas : (float, float), each in [0, 1)
        How much of the running means of g and of g^2 is kept.
    eps : float, at least 0
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    amsgrad : bool
        Divide by the largest v so far (Reddi, Kale and Kumar, ICLR 2018).
    maximize : bool
    decoupled_weight_decay : bool
        Take lr * weight_decay * p off the parameter and leave g alone. That is AdamW.

    Raises
    ------
    ValueError
        If an argument lies outside its limits.
    """

    def __init__(
        self,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        amsgrad=False,
        *,
        maximize=False,
        decoupled_weight_decay=False,
    ):
        super().__init__(lr, weight_decay, maximize)
        self.betas = tuple(check_array("betas", betas, ndim=1))
        if len(self.betas) != 2 or min(self.betas) < 0 or max(self.betas) >= 1:
            raise ValueError(f"betas must be two numbers of at least 0 and below 1, got {betas!r}")
        self.eps = check_number("eps", eps, at_least=0)
        self.amsgrad = check_choice("amsgrad", amsgrad, (True, False))
        self.decoupled_weight_decay = check_choice("decoupled_weight_decay", decoupled_weight_decay, (True, False))

    def _begin(self, p):
        return {name: np.zeros_like(p) for name in ("m", "v", "v_max")[: 3 if self.amsgrad else 2]}

    def _step(self, p, g, state):
        if self.decoupled_weight_decay:
            p -= self.lr * self.weight_decay * p
        else:
            g = g + self.weight_decay * p
        beta1, beta2 = self.betas
        m = state["m"] = beta1 * state["m"] + (1 - beta1) * g
        v = state["v"] = beta2 * state["v"] + (1 - beta2) * g**2
        if self.amsgrad:
            v = state["v_max"] = np.maximum(state["v_max"], v)
        m_hat, v_hat = m / (1 - beta1**self.t), v / (1 - beta2**self.t)
        p -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


class AdamW(Adam):
    """Adam whose weight decay bypasses m and v: p -= lr weight_decay p. Arguments as in `Adam`."""

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False):
        super().__init__(lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


def _checked(params, grads):
    """Both as lists of arrays that fit together."""
    if isinstance(params, np.ndarray):
        params, grads = [params], [grads]
    params, grads = list(params), list(grads)
    if not params or len(grads) != len(params):
        raise ValueError(f"grads must hold one gradient a parameter, got {len(grads)} for {len(params)} params")
    for p in params:
        if not isinstance(p, np.ndarray) or p.dtype != np.float64:
            raise ValueError(f"params must be arrays of float64, for they are changed in place; got {type(p).__name__}")
        check_array("params", p)
    grads = [check_array("grads", g) for g in grads]
    for p, g in zip(params, grads, strict=True):
        if p.shape != g.shape:
            raise ValueError(f"grads must have the shapes of params, got {g.shape} for {p.shape}")
    return params, grads
