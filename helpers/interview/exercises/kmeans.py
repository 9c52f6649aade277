"""Topic 02: nearest centers, their means, the probabilities of k-means++, the IoU of box sizes."""

import numpy as np
from hypothesis import strategies as st

from ...algorithms import kmeans
from . import SMALL, WIDE, Exercise, arrays

SIZES = (1.0, 2.0, 4.0, 0.5, 3.0)


def samples_and_centers(least, most, values):
    """Draw samples (n, d) and centers (k, d)."""

    def of_width(d):
        return st.tuples(
            arrays(st.tuples(st.integers(least, most), st.just(d)), values),
            arrays(st.tuples(st.integers(least, most // 2 + 1), st.just(d)), values),
        )

    return st.integers(least, 3).flatmap(of_width)


PAIRS = samples_and_centers(2, 4, SMALL), samples_and_centers(1, 8, WIDE)

# --- the assignment --------------------------------------------------------------------------------------------------


def assign(X, centers):
    """Ours: the labels of Lloyd's step, which also stands for more centers than samples."""
    return kmeans.lloyd_step(np.vstack([X, centers]), centers)[0][: len(X)]


assignment = Exercise(
    id="kmeans/assign",
    signature="assign(X, centers) -> labels",
    task="Give each sample (row of X) the index of its nearest center (row of centers), the first of those equally "
    "near. No Python loop is needed.",
    task_zh="为每个样本（X 的行）返回最近中心（centers 的行）的下标，距离相同取下标小的。不需要 Python 循环。",
    reference=assign,
    tiers=(
        *PAIRS,
        samples_and_centers(1, 8, (0.0, 1.0, -1.0, 0.5, 0.5 - 2**-12, 1.5, 2.0, -0.375)),
        samples_and_centers(1, 8, (0.0, 1.0, 100.0, 150.0)),
    ),
    forbidden=("sklearn.metrics", "sklearn.cluster", "scipy.spatial"),
    cost="O(n k d): one matrix product",
    hints=(
        "A table of squared distances: one row a sample, one column a center. The square root changes no order.",
        "X[:, None] has shape (n, 1, d); centers broadcasts against it to (n, k, d).",
        "distance = ((X[:, None] - centers) ** 2).sum(axis=2), then distance.argmin(axis=1).",
    ),
)


@assignment.right
def table_of_distances(X, centers):
    distance = ((X[:, None] - centers) ** 2).sum(axis=2)
    return distance.argmin(axis=1)


@assignment.right
def without_the_cube(X, centers):
    return ((centers**2).sum(axis=1) - 2 * X @ centers.T).argmin(axis=1)


@assignment.right
def two_loops(X, centers):
    return [min(range(len(centers)), key=lambda j: ((x - centers[j]) ** 2).sum()) for x in X]


@assignment.library
def sklearn_nearest(X, centers):
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(X, centers)


@assignment.wrong("The minimum runs along the wrong axis: one label for each sample, not one for each center.")
def nearest_sample(X, centers):
    return ((X[:, None] - centers) ** 2).sum(axis=2).argmin(axis=0)


@assignment.wrong("This is the farthest center: argmin, not argmax.")
def farthest(X, centers):
    return ((X[:, None] - centers) ** 2).sum(axis=2).argmax(axis=1)


@assignment.wrong("Square the differences before you add them up: signs must not cancel.")
def signs_cancel(X, centers):
    return np.abs((X[:, None] - centers).sum(axis=2)).argmin(axis=1)


@assignment.wrong("This is the sum of the absolute differences. Square them: the distance is Euclidean.")
def manhattan(X, centers):
    return np.abs(X[:, None] - centers).sum(axis=2).argmin(axis=1)


@assignment.wrong("Of several centers equally near the first counts. Here the last one wins.")
def last_of_ties(X, centers):
    distance = ((X[:, None] - centers) ** 2).sum(axis=2)[:, ::-1]
    return len(centers) - 1 - distance.argmin(axis=1)


@assignment.wrong("The |c|^2 is missing: the largest dot product is the nearest center only if all are equally long.")
def dot_product(X, centers):
    return (X @ centers.T).argmax(axis=1)


@assignment.wrong("These are the distances of the nearest centers. Return their indices.")
def distances_only(X, centers):
    return ((X[:, None] - centers) ** 2).sum(axis=2).min(axis=1)


# --- the update ------------------------------------------------------------------------------------------------------


@st.composite
def labelled(draw, least, most, values):
    """Draw samples, labels that use every cluster, and the number of clusters."""
    k, d = draw(st.integers(least, 3)), draw(st.integers(least, 3))
    more = draw(st.lists(st.integers(0, k - 1), min_size=least - 1, max_size=most - k))
    labels = draw(st.permutations([*range(k), *more]))
    return draw(arrays((len(labels), d), values)), np.array(labels), k


def move_centers(X, labels, k):
    """Ours: the sums over the counts, no cluster being empty."""
    sums = np.stack([np.bincount(labels, column, minlength=k) for column in X.T], axis=1)
    return sums / np.bincount(labels, minlength=k)[:, None]


update = Exercise(
    id="kmeans/move_centers",
    signature="move_centers(X, labels, k) -> centers",
    task="Return the k new centers, one per row: the mean of the samples of each cluster. Every cluster has a sample.",
    task_zh="返回 k 个新中心（每行一个）：每个簇中样本的均值。保证每个簇至少有一个样本。",
    reference=move_centers,
    tiers=(labelled(2, 4, SMALL), labelled(1, 9, WIDE)),
    forbidden=("sklearn.cluster", "scipy.ndimage"),
    cost="O(n d): every sample is added once",
    hints=(
        "A mean is a sum over a count, both taken cluster by cluster.",
        "labels == j picks the rows of cluster j.",
        "np.array([X[labels == j].mean(axis=0) for j in range(k)]).",
    ),
)


@update.right
def mean_by_mean(X, labels, k):
    return np.array([X[labels == j].mean(axis=0) for j in range(k)])


@update.right
def one_hot(X, labels, k):
    member = np.eye(k)[labels]
    return member.T @ X / member.sum(axis=0)[:, None]


@update.wrong("Average over the samples, axis 0. Here each center has become one number.")
def over_the_columns(X, labels, k):
    return np.array([X[labels == j].mean() for j in range(k)])


@update.wrong("This is the sum. Divide by the number of samples of the cluster.")
def sums_only(X, labels, k):
    return np.eye(k)[labels].T @ X


@update.wrong("Divide by the size of the cluster, not by the number of all samples.")
def over_all_samples(X, labels, k):
    return np.eye(k)[labels].T @ X / len(X)


@update.wrong("sums[labels] += X adds only one sample for each label. np.add.at(sums, labels, X) adds them all.")
def lost_updates(X, labels, k):
    sums = np.zeros((k, X.shape[1]))
    sums[labels] += X
    return sums / np.bincount(labels, minlength=k)[:, None]


@update.wrong("This is the median. It minimizes the sum of distances; k-means minimizes that of squares.")
def medians(X, labels, k):
    return np.array([np.median(X[labels == j], axis=0) for j in range(k)])


# --- k-means++ -------------------------------------------------------------------------------------------------------


def seed_probabilities(X, centers):
    """Ours: what `kmeans_plusplus` draws the next sample by."""
    D2 = ((X[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
    return D2 / D2.sum()


def off_the_centers(pair):
    return (pair[0][:, None] != pair[1]).any(axis=2).all(axis=1).any()


plusplus = Exercise(
    id="kmeans/seed_probabilities",
    signature="seed_probabilities(X, centers) -> p",
    task="k-means++ has chosen some centers. Return the probability with which each sample (row of X) is chosen next. "
    "At least one sample is no center.",
    task_zh="k-means++ 已选出若干中心。返回每个样本（X 的行）下一个被选中的概率。保证至少有一个样本不是中心。",
    reference=seed_probabilities,
    tiers=tuple(tier.filter(off_the_centers) for tier in PAIRS),
    forbidden=("sklearn.cluster", "sklearn.metrics", "scipy.spatial"),
    cost="O(n k d); O(n d) a step if the nearest distance so far is kept",
    hints=(
        "A sample far from all centers should be likely, one that is a center impossible.",
        "Take the squared distance to the nearest center, D squared. Probabilities add up to 1.",
        "D2 = ((X[:, None] - centers) ** 2).sum(axis=2).min(axis=1), then D2 / D2.sum().",
    ),
)


@plusplus.right
def nearest_squared(X, centers):
    D2 = ((X[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
    return D2 / D2.sum()


@plusplus.right
def center_by_center(X, centers):
    D2 = np.full(len(X), np.inf)
    for center in centers:
        D2 = np.minimum(D2, ((X - center) ** 2).sum(axis=1))
    return D2 / D2.sum()


@plusplus.wrong("k-means++ draws by the squared distance. Here it is the distance.")
def not_squared(X, centers):
    D = np.sqrt(((X[:, None] - centers) ** 2).sum(axis=2)).min(axis=1)
    return D / D.sum()


@plusplus.wrong("Only the nearest center counts: the minimum over the centers, not the sum.")
def sum_over_centers(X, centers):
    D2 = ((X[:, None] - centers) ** 2).sum(axis=(1, 2))
    return D2 / D2.sum()


@plusplus.wrong("Only the nearest center counts. Here it is the one chosen last.")
def last_center(X, centers):
    D2 = ((X - centers[-1]) ** 2).sum(axis=1)
    return D2 / max(D2.sum(), 1e-300)


@plusplus.wrong("Divide by the sum, so that the probabilities add up to 1.")
def not_normalised(X, centers):
    return ((X[:, None] - centers) ** 2).sum(axis=2).min(axis=1)


@plusplus.wrong("This always takes the farthest sample, so outliers always become centers. k-means++ draws at random.")
def always_the_farthest(X, centers):
    D2 = ((X[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
    return np.eye(len(X))[D2.argmax()]


# --- anchors ---------------------------------------------------------------------------------------------------------


def sizes(least, most, values):
    return st.tuples(
        arrays(st.tuples(st.integers(least, most), st.just(2)), values),
        arrays(st.tuples(st.integers(least, most - 1), st.just(2)), values),
    )


def size_iou(wh, anchors):
    """Ours: the IoU that `iou_kmeans` assigns by."""
    return kmeans._iou(wh, anchors)


anchor = Exercise(
    id="kmeans/size_iou",
    signature="size_iou(wh, anchors) -> iou",
    task="Return the IoU of every box (width, height) with every anchor, shape (n, k): all have one corner in common.",
    task_zh="返回每个框（宽、高）与每个锚框的 IoU，形状 (n, k)：所有框左上角对齐。",
    reference=size_iou,
    tiers=(sizes(2, 4, SIZES), sizes(1, 6, (*SIZES, 1000.0, 0.25, 0.25 + 2**-14, 2**-10))),
    narrow=dict.fromkeys(["wh", "anchors"], "sizes1 one1 negative zero: two sides, both above 0"),
    cost="O(n k): a minimum and a division for each pair",
    hints=(
        "With a common corner the overlap is as wide as the narrower box and as high as the lower one.",
        "The union is the sum of the two areas less the overlap, which was counted twice.",
        "inter = np.minimum(wh[:, None], anchors).prod(axis=2); divide by both areas less inter.",
    ),
)


@anchor.right
def narrower_times_lower(wh, anchors):
    inter = np.minimum(wh[:, None], anchors).prod(axis=2)
    return inter / (wh.prod(axis=1)[:, None] + anchors.prod(axis=1) - inter)


@anchor.right
def box_by_box(wh, anchors):
    iou = np.empty((len(wh), len(anchors)))
    for i, (w, h) in enumerate(wh):
        for j, (a, b) in enumerate(anchors):
            inter = min(w, a) * min(h, b)
            iou[i, j] = inter / (w * h + a * b - inter)
    return iou


@anchor.wrong("The union counts the overlap once: subtract it from the sum of the areas.")
def overlap_twice(wh, anchors):
    inter = np.minimum(wh[:, None], anchors).prod(axis=2)
    return inter / (wh.prod(axis=1)[:, None] + anchors.prod(axis=1))


@anchor.wrong("This is the distance 1 - IoU. The IoU itself is asked for.")
def distance(wh, anchors):
    return 1 - narrower_times_lower(wh, anchors)


@anchor.wrong("The smaller area is not the overlap: a wide and a tall box overlap in less.")
def smaller_area(wh, anchors):
    a, b = wh.prod(axis=1)[:, None], anchors.prod(axis=1)
    return np.minimum(a, b) / np.maximum(a, b)


@anchor.wrong("The box around both is not their union; that would be the enclosing box of GIoU.")
def enclosing_box(wh, anchors):
    return np.minimum(wh[:, None], anchors).prod(axis=2) / np.maximum(wh[:, None], anchors).prod(axis=2)


@anchor.wrong("One row per box, one column per anchor: the table is transposed.")
def transposed(wh, anchors):
    return narrower_times_lower(wh, anchors).T
