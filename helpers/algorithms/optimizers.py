"""Six optimizers: how a gradient becomes a step.

First the formulas, as pure functions: ``adam_step(p, g, m, v, t, ...)`` takes the parameters p, their gradient g and
what is remembered, and returns the new p and the new memory. They are the formulas alone and check nothing. All hold
entry by entry and broadcast, so that arrays of settings make many runs at once. t counts the steps from 1.

Then the classes, which check, remember and have the options. Names, arguments and defaults are those of `torch.optim`;
its arguments ``foreach``, ``fused``, ``capturable`` and ``differentiable``, which change how a step is computed and not
what it is, have no place here.

References
----------
Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12 (2011).
Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701 (2012).
Hinton, "Neural networks for machine learning", lecture 6e, Coursera (2012): RMSprop.
Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018: AMSGrad.
Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019: AdamW.
"""

import numpy as np

from ..validation import check_array, check_choice, check_integer, check_number

# --- the formulas ----------------------------------------------------------------------------------------------------


def momentum_step(p, g, b, lr, momentum, dampening=0.0, nesterov=False):
    """SGD with momentum: the buffer b is a fading sum of gradients, not a mean, and the rate stays outside it."""
    b = momentum * b + (1 - dampening) * g
    d = g + momentum * b if nesterov else b  # Nesterov's: the direction that b will have if g comes once more
    return p - lr * d, b


def adagrad_step(p, g, G, lr, eps):
    """Divide by the root of the sum G of all squared gradients so far, which never falls."""
    G = G + g**2
    return p - lr * g / (np.sqrt(G) + eps), G


def rmsprop_step(p, g, v, lr, alpha, eps):
    """Divide by the root of v, a running mean of the squared gradients: a sum that forgets."""
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (np.sqrt(v) + eps), v


def centered_rmsprop_step(p, g, v, mean, lr, alpha, eps):
    """RMSprop that divides by the running standard deviation: mean of squares less square of the mean."""
    v = alpha * v + (1 - alpha) * g**2
    mean = alpha * mean + (1 - alpha) * g
    variance = np.maximum(v - mean**2, 0)  # rounding can push it below
    return p - lr * g / (np.sqrt(variance) + eps), v, mean


def adadelta_step(p, g, v, u, lr, rho, eps):
    """The step d has the unit of p: g over its own running size, times the running size of the steps before."""
    v = rho * v + (1 - rho) * g**2
    d = np.sqrt(u + eps) / np.sqrt(v + eps) * g  # u starts from 0, so eps sets the size of the first steps
    u = rho * u + (1 - rho) * d**2
    return p - lr * d, v, u


def adam_step(p, g, m, v, t, lr, beta1, beta2, eps):
    """Running means m of g and v of g^2, corrected for their start from 0."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)  # after t steps the coefficients in the mean add up to 1 - beta^t, not to 1
    v_hat = v / (1 - beta2**t)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v  # m and v are kept uncorrected


def amsgrad_step(p, g, m, v, v_max, t, lr, beta1, beta2, eps):
    """Adam that divides by the largest v so far: a large gradient is never forgotten."""
    _, m, v = adam_step(p, g, m, v, t, lr, beta1, beta2, eps)
    v_max = np.maximum(v_max, v)
    return p - lr * m / (1 - beta1**t) / (np.sqrt(v_max / (1 - beta2**t)) + eps), m, v, v_max


def adamw_step(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Adam whose weight decay bypasses m and v: p shrinks by a factor first, and g stays the loss's own."""
    return adam_step(decayed(p, lr, weight_decay), g, m, v, t, lr, beta1, beta2, eps)


def decayed(p, lr, weight_decay):
    """Decoupled weight decay: every parameter loses the same share of itself."""
    return p * (1 - lr * weight_decay)


# --- the classes -----------------------------------------------------------------------------------------------------


class Optimizer:
    """What the six share. A subclass says what it remembers of one parameter, and how that parameter steps.

    Every number among a constructor's arguments may be an array that broadcasts against the parameters: each entry then
    has a value of its own. So ``Adam(lr=rates[:, None])`` on parameters of shape (k, d) makes k runs at once. The
    arguments become attributes, and may be changed between steps, as a schedule does.

    Attributes
    ----------
    t : int
        Steps made so far.
    state : list of dict
        For each parameter, what is remembered of its gradients: name -> array of the parameter's shape.
    """

    def __init__(self, lr, weight_decay, maximize):
        self.lr = _setting("lr", lr, at_least=0)
        self.weight_decay = _setting("weight_decay", weight_decay, at_least=0)
        self.maximize = check_choice("maximize", maximize, (True, False))
        self.t, self.state = 0, []

    def step(self, params, grads):
        """Make one step, or, if anything is wrong with it, none.

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
            If a parameter is no array of float64 or is read-only, a gradient has another shape than its parameter, a
            number is NaN or infinite, the parameters differ in number or shape from those of the first step, or an
            array among the settings does not broadcast to them.
        """
        p_list, g_list = _checked(params, grads)
        self._remember("params", p_list)
        for p, new in zip(p_list, self._advance(p_list, g_list), strict=True):
            p[...] = new
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
        path = [check_array("start", start).copy()]
        self._remember("start", path)
        for _ in range(check_integer("steps", steps, at_least=1)):
            p = path[-1]
            g = check_array("gradient", gradient(p))
            if g.shape != p.shape:
                raise ValueError(f"gradient must return the shape of start, {p.shape}, got {g.shape}")
            path += self._advance([p], [g])
        return np.stack(path)

    def _remember(self, name, params):
        """Begin the state before the first step; later, refuse what does not fit it."""
        shapes = [p.shape for p in params]
        if self.t == 0:
            self._shapes, self.state = shapes, [{n: np.zeros(p.shape) for n in self._memory()} for p in params]
        if shapes != self._shapes:
            raise ValueError(f"{name} must keep the shapes of the first step, {self._shapes}, got {shapes}")

    def _advance(self, params, grads):
        """Return the parameters after one step. The state moves on only once all of them are known."""
        t, moved, state = self.t + 1, [], []
        for p, g, before in zip(params, grads, self.state, strict=True):
            p_new, *after = self._step(t, p, self._gradient(p, g), *before.values())
            if p_new.shape != p.shape:
                raise ValueError(f"lr and the other settings must broadcast to {p.shape}, got {p_new.shape} with them")
            moved.append(p_new)
            state.append(dict(zip(before, after, strict=True)))
        self.t, self.state = t, state
        return moved

    def _gradient(self, p, g):
        """What the formulas take for g: turned round to climb, with the slope of the L2 penalty."""
        return (-g if self.maximize else g) + self.weight_decay * p

    @property
    def state_bytes(self):
        """Memory that the state takes, in bytes."""
        return sum(array.nbytes for state in self.state for array in state.values())


class SGD(Optimizer):
    """Stochastic gradient descent: p -= lr g, or `momentum_step`.

    Parameters
    ----------
    lr : float, at least 0
        Learning rate.
    momentum : float, at least 0
        How much of the buffer is kept. 0 keeps no buffer; whether there is one is decided at the first step.
    dampening : float
        The gradient enters the buffer times 1 - dampening, except the first one, which enters whole.
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    nesterov : bool
        Needs momentum and no dampening.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError
        If an argument lies outside its limits.
    """

    def __init__(self, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, *, maximize=False):
        super().__init__(lr, weight_decay, maximize)
        self.momentum = _setting("momentum", momentum, at_least=0)
        self.dampening = _setting("dampening", dampening)
        self.nesterov = check_choice("nesterov", nesterov, (True, False))
        if nesterov and (not np.all(self.momentum) or np.any(self.dampening)):
            raise ValueError("nesterov needs momentum above 0 and dampening 0")

    def _memory(self):
        return ["b"] if np.any(self.momentum) else []

    def _step(self, t, p, g, *b):
        if not b:
            return (p - self.lr * g,)
        dampening = 0.0 if t == 1 else self.dampening
        return momentum_step(p, g, *b, self.lr, self.momentum, dampening, self.nesterov)


class Adagrad(Optimizer):
    """`adagrad_step`.

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
        self.lr_decay = _setting("lr_decay", lr_decay, at_least=0)
        self.initial_accumulator_value = _setting("initial_accumulator_value", initial_accumulator_value, at_least=0)
        self.eps = _setting("eps", eps, at_least=0)

    def _memory(self):
        return ["G"]

    def _step(self, t, p, g, G):
        if t == 1:
            G = G + self.initial_accumulator_value
        return adagrad_step(p, g, G, self.lr / (1 + (t - 1) * self.lr_decay), self.eps)


class RMSprop(Optimizer):
    """`rmsprop_step`, and with ``centered=True`` `centered_rmsprop_step`.

    Parameters
    ----------
    lr : float, at least 0
    alpha : float in [0, 1]
        How much of the running mean is kept.
    eps : float, at least 0
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    momentum : float, at least 0
        The divided gradient, not g, goes through `momentum_step`. Whether it does is decided at the first step.
    centered : bool
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
        self.alpha = _setting("alpha", alpha, at_least=0, at_most=1)
        self.eps = _setting("eps", eps, at_least=0)
        self.momentum = _setting("momentum", momentum, at_least=0)
        self.centered = check_choice("centered", centered, (True, False))

    def _memory(self):
        means = ["v", "mean"] if self.centered else ["v"]
        return [*means, "b"] if np.any(self.momentum) else means

    def _step(self, t, p, g, *state):
        step = centered_rmsprop_step if self.centered else rmsprop_step
        means = state[: 2 if self.centered else 1]
        if len(state) == len(means):
            return step(p, g, *means, self.lr, self.alpha, self.eps)
        d, *means = step(0.0, g, *means, -1.0, self.alpha, self.eps)  # the divided gradient: a step up from 0 at rate 1
        p, b = momentum_step(p, d, state[-1], self.lr, self.momentum)
        return p, *means, b


class Adadelta(Optimizer):
    """`adadelta_step`.

    Parameters
    ----------
    lr : float, at least 0
        Scales d. The paper has none: 1.
    rho : float in [0, 1]
        How much of the running means is kept.
    eps : float, at least 0
        Also sets the size of the first steps.
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
        self.rho = _setting("rho", rho, at_least=0, at_most=1)
        self.eps = _setting("eps", eps, at_least=0)

    def _memory(self):
        return ["v", "u"]

    def _step(self, t, p, g, v, u):
        return adadelta_step(p, g, v, u, self.lr, self.rho, self.eps)


class Adam(Optimizer):
    """`adam_step`.

    Parameters
    ----------
    lr : float, at least 0
    betas : (float, float), each in [0, 1)
        How much of the running means of g and of g^2 is kept.
    eps : float, at least 0
    weight_decay : float, at least 0
        L2 penalty: weight_decay * p is added to g.
    amsgrad : bool
        `amsgrad_step` instead.
    maximize : bool
    decoupled_weight_decay : bool
        Shrink the parameter by the factor 1 - lr * weight_decay and leave g alone. That is AdamW.

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
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"betas must be two numbers of at least 0 and below 1, got {betas!r}")
        self.betas = tuple(_setting("betas", beta, at_least=0, below=1) for beta in betas)
        self.eps = _setting("eps", eps, at_least=0)
        self.amsgrad = check_choice("amsgrad", amsgrad, (True, False))
        self.decoupled_weight_decay = check_choice("decoupled_weight_decay", decoupled_weight_decay, (True, False))

    def _memory(self):
        return ["m", "v", "v_max"] if self.amsgrad else ["m", "v"]

    def _gradient(self, p, g):
        return super()._gradient(0.0 if self.decoupled_weight_decay else p, g)

    def _step(self, t, p, g, *state):
        step = amsgrad_step if self.amsgrad else adam_step
        p = decayed(p, self.lr, self.weight_decay) if self.decoupled_weight_decay else p
        return step(p, g, *state, t, self.lr, *self.betas, self.eps)


class AdamW(Adam):
    """`adamw_step`: Adam with decoupled weight decay. Arguments as in `Adam`."""

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False):
        super().__init__(lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


def _setting(name, value, **limits):
    """A number within the limits, or an array of them."""
    if np.ndim(value) == 0:
        return check_number(name, value, **limits)
    array = check_array(name, value)
    for extreme in (array.min(), array.max()):
        check_number(name, extreme, **limits)
    return array


def _checked(params, grads):
    """Both as lists of arrays that fit together."""
    if isinstance(params, np.ndarray):
        params, grads = [params], [grads]
    params, grads = list(params), list(grads)
    if not params or len(grads) != len(params):
        raise ValueError(f"grads must hold one gradient per parameter, got {len(grads)} for {len(params)} params")
    for p in params:
        if not isinstance(p, np.ndarray) or p.dtype != np.float64:
            raise ValueError(f"params must be arrays of float64, for they are changed in place; got {type(p).__name__}")
        if not p.flags.writeable:
            raise ValueError("params must be writable, for they are changed in place; copy a read-only array first")
        check_array("params", p)
    grads = [check_array("grads", g) for g in grads]
    for p, g in zip(params, grads, strict=True):
        if p.shape != g.shape:
            raise ValueError(f"grads must have the shapes of params, got {g.shape} for {p.shape}")
    return params, grads
