"""The one list of topics: number, notebook, stem of the four rooms, title and part."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("Machine learning", "Deep learning", "Networks")


class Topic(NamedTuple):
    """One notebook and its rooms: ``algorithms/<stem>.py``, ``explorers/<stem>.py``, ``interview/*/<stem>.*``."""

    number: int
    notebook: str
    stem: str
    title: str
    title_zh: str
    part: int

    @property
    def path(self):
        """Where the notebook is, or will be."""
        return ROOT / "notebooks" / f"{self.notebook}.ipynb"

    @property
    def ready(self):
        """Whether the notebook has been written."""
        return self.path.exists()


TOPICS = tuple(
    Topic(number, f"{number:02}_{name}", stem, title, title_zh, part)
    for number, name, stem, title, title_zh, part in [
        (1, "svm", "svm", "Support vector machines", "支持向量机", 1),
        (2, "kmeans", "kmeans", "k-means", "K 均值聚类", 1),
        (3, "naive_bayes", "naive_bayes", "Naive Bayes", "朴素贝叶斯", 1),
        (4, "classification_vs_regression", "linear_models", "Classification and regression", "分类与回归", 1),
        (5, "metrics_roc", "metrics", "Metrics and ROC", "评价指标与 ROC", 2),
        (6, "regularization", "regularization", "Regularization", "正则化", 2),
        (7, "overfitting", "overfitting", "Overfitting", "过拟合", 2),
        (8, "backpropagation", "backpropagation", "Backpropagation", "反向传播", 2),
        (9, "convolution", "convolution", "Convolution", "卷积", 2),
        (10, "pooling_backprop", "pooling", "Pooling and its backward pass", "池化及其反向传播", 2),
        (11, "receptive_field", "receptive_field", "Receptive field", "感受野", 2),
        (12, "normalization", "normalization", "Normalization", "归一化", 2),
        (13, "gradient_descent", "gradient_descent", "Gradient descent", "梯度下降", 2),
        (14, "optimizers", "optimizers", "Optimizers", "优化器", 2),
        (15, "activations", "activations", "Activations", "激活函数", 2),
        (16, "convolution_variants", "convolution_variants", "Convolution variants", "卷积变体", 2),
        (17, "losses", "losses", "Losses", "损失函数", 2),
        (18, "iou_family", "boxes", "The IoU family", "IoU 家族", 2),
        (19, "alexnet_vgg", "alexnet_vgg", "AlexNet and VGG", "AlexNet 与 VGG", 3),
        (20, "repvgg_replknet", "repvgg", "RepVGG and RepLKNet", "RepVGG 与 RepLKNet", 3),
        (21, "resnet", "resnet", "ResNet", "残差网络", 3),
        (22, "yolo", "yolo", "YOLO and detection", "YOLO 与目标检测", 3),
        (23, "swin", "swin", "Swin Transformer", "Swin Transformer", 3),
    ]
)


def as_markdown():
    """Return the map of topics that stands in the README."""
    from .notebook import table  # whoever only asks for the list does not wait for NumPy

    rows = [
        [
            t.number,
            f"[{t.title}](notebooks/{t.notebook}.ipynb)" if t.ready else t.title,
            t.title_zh,
            PARTS[t.part - 1],
            "ready" if t.ready else "to come",
        ]
        for t in TOPICS
    ]
    return table(["", "topic", "中文", "part", ""], rows).data + "\n"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    before, start, rest = readme.read_text(encoding="utf-8").partition("<!-- topics -->\n")
    readme.write_text(
        before + start + as_markdown() + rest[rest.index("<!-- /topics -->") :], encoding="utf-8", newline="\n"
    )
