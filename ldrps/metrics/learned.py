"""Measures by pretrained networks, from torchmetrics; they need packages and weights that are not always there."""

from abc import abstractmethod
from importlib.util import find_spec
from pathlib import Path

import torch
import torchmetrics
from torch import Tensor, nn

from ldrps.metrics.base import Metric


class Learned(Metric):
    """A measure whose network is built when it is first asked whether it is available.

    Attributes:
        packages: What must be installed.
    """

    packages: tuple[str, ...] = ("torchvision",)

    def missing_weights(self) -> str | None:
        """Say which weights are not on this machine: measuring never downloads by itself."""
        return None

    def __init__(self) -> None:
        super().__init__()
        self._network: nn.Module | None = None

    @abstractmethod
    def build(self) -> nn.Module:
        """Make the network with its weights; gives one number per call on a batch of one."""

    def unavailable(self) -> str | None:
        """See `Metric.unavailable`."""
        missing = [package for package in self.packages if find_spec(package) is None]
        if missing:
            return f"needs {', '.join(missing)}: pip install 'ldrps[iqa]'"
        if self._network is None and (reason := self.missing_weights()):
            return reason
        if self._network is None:
            try:
                self._network = self.build().eval()
            except Exception as error:
                return f"its weights could not be loaded ({' '.join(str(error).split())[:120]})"
        return None

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """See `Metric.measure`; image after image, since the libraries return a mean over the batch."""
        network = (self._network or self.build()).to(preds.device)
        values = []
        for number, image in enumerate(preds):
            pair = (image[None],) if not self.needs_target else (image[None], target[number, None])
            values.append(network(*pair).reshape(()))
        return torch.stack(values)


class LPIPS(Learned):
    """Distance of AlexNet features; lower is better."""

    name = "lpips"
    higher_is_better = False
    min_side_px = 64
    implementation = f"torchmetrics {torchmetrics.__version__}, AlexNet"

    def missing_weights(self) -> str | None:
        """See `Learned.missing_weights`."""
        return not_in_hub("alexnet-*.pth")

    def build(self) -> nn.Module:
        """See `Learned.build`."""
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)


class DISTS(Learned):
    """Distance of structure and texture in VGG-16 features; lower is better."""

    name = "dists"
    higher_is_better = False
    min_side_px = 64
    implementation = f"torchmetrics {torchmetrics.__version__}, VGG-16"

    def missing_weights(self) -> str | None:
        """See `Learned.missing_weights`."""
        return not_in_hub("vgg16-*.pth")

    def build(self) -> nn.Module:
        """See `Learned.build`."""
        from torchmetrics.image.dists import DeepImageStructureAndTextureSimilarity

        return DeepImageStructureAndTextureSimilarity()


class CLIPIQA(Learned):
    """Similarity to "a good photo" against "a bad photo" in CLIP; no ground truth.

    Args:
        model: Hub id or folder of a CLIP model in transformers' layout.
    """

    name = "clip_iqa"
    needs_target = False
    min_side_px = 32
    packages = ()

    def __init__(self, model: str = "openai/clip-vit-base-patch16") -> None:
        super().__init__()
        self.model = model
        self.implementation = f"torchmetrics {torchmetrics.__version__}, {model}"

    def missing_weights(self) -> str | None:
        """See `Learned.missing_weights`."""
        from huggingface_hub import try_to_load_from_cache

        files = ("model.safetensors", "pytorch_model.bin")
        is_here = Path(self.model).is_dir() or any(
            isinstance(try_to_load_from_cache(self.model, file), str) for file in files
        )
        return None if is_here else f"the model {self.model} is not on this machine: hf download {self.model}"

    def build(self) -> nn.Module:
        """See `Learned.build`."""
        from torchmetrics.multimodal.clip_iqa import CLIPImageQualityAssessment

        return CLIPImageQualityAssessment(
            model_name_or_path=self.model,  # type: ignore[arg-type]
            data_range=1.0,
        )


def not_in_hub(pattern: str) -> str | None:
    """Say that torchvision's weights are not in torch.hub's folder; None if they are."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return (
        None if any(folder.glob(pattern)) else f"its weights {pattern} are not in {folder}: torchvision loads them once"
    )
