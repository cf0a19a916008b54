"""Receipts: what was done to an image, complete enough to do it again bit for bit."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from PIL import features
from torch import Tensor

from degradations.base import Degradation, eight_bit
from degradations.checks import check_images
from degradations.description import Description, build, describe
from degradations.parameters import Parameters

FORMAT = 1
"""Number of the layout below; raised when a field changes its meaning."""


@dataclass(frozen=True)
class Receipt:
    """How one image was degraded.

    Attributes:
        suite: Name of the suite, for people.
        seed: Seed of the run.
        degradation: Class path and settings.
        parameters: What was drawn: plain numbers, and seeds in place of noise.
        words: What was done, in order, for captions.
        size: Height and width in pixels.
        input_sha256: Fingerprint of the clean image.
        output_sha256: Fingerprint of the degraded image, rounded to 8 bits.
        alpha_sha256: Fingerprint of the image's opacity, which is passed on as it is; empty for an opaque one.
        versions: Of ldrps and torch, and the platform; the result is the same bit for bit where all are.
        format: Number of this layout.
    """

    suite: str
    seed: int
    degradation: Description
    parameters: dict[str, Any]
    words: list[str]
    size: list[int]
    input_sha256: str
    output_sha256: str
    alpha_sha256: str
    versions: dict[str, str]
    format: int = FORMAT

    def replay(self, image: Tensor) -> Tensor:
        """Degrade the image again, shape (3, H, W), range [0, 1]; the result is rounded to 8 bits.

        Raises:
            ValueError: If the image is another one, or the degradation no longer exists.
        """
        check_images(image[None])
        if fingerprint(image) != self.input_sha256:
            raise ValueError("the image has other pixels than the one the receipt was made for: give the clean image")
        degradation = build(self.degradation)
        try:
            return degrade_one(image, degradation, restored_parameters(self.parameters))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            made_by = self.versions.get("ldrps")
            raise ValueError(
                f"its parameters do not fit this version ({version('ldrps')}; it was made by {made_by}): degrade again"
            ) from error


def degrade_with_receipt(
    image: Tensor,
    degradation: Degradation,
    generator: torch.Generator,
    suite: str = "",
    seed: int = 0,
    alpha: Tensor | None = None,
) -> tuple[Tensor, Receipt]:
    """Degrade one image, shape (3, H, W), range [0, 1], and say how.

    Args:
        image: The clean image.
        degradation: What happens to it.
        generator: Of the image.
        suite: Name for the receipt.
        seed: Seed of the run, for the receipt.
        alpha: Opacity, shape (1, H, W), for the receipt.

    Returns:
        The degraded image, rounded to 8 bits, and its receipt.

    Raises:
        ValueError: If the image is not RGB in [0, 1].
    """
    parameters = degradation.sample_parameters([generator])
    degraded = degrade_one(image, degradation, parameters)
    receipt = Receipt(
        suite=suite,
        seed=seed,
        degradation=describe(degradation),
        parameters={name: values[0].tolist() for name, values in parameters.items()},
        words=list(degradation.words(parameters)[0]),
        size=list(image.shape[1:]),
        input_sha256=fingerprint(image),
        output_sha256=fingerprint(degraded),
        alpha_sha256="" if alpha is None else fingerprint(alpha),
        versions=current_versions(),
    )
    return degraded, receipt


def degrade_one(image: Tensor, degradation: Degradation, parameters: Parameters) -> Tensor:
    """Degrade one image, shape (3, H, W), and round to 8 bits.

    Raises:
        ValueError: If the image is not RGB in [0, 1].
    """
    with torch.no_grad():
        return eight_bit(degradation.apply(image[None].float(), parameters)[0].clamp(0, 1))


def restored_parameters(plain: dict[str, Any]) -> Parameters:
    """Turn the plain numbers of one image into rows: true or false, whole numbers, or float32."""
    return {name: torch.tensor([values]) for name, values in plain.items()}


def fingerprint(image: Tensor, about: str = "") -> str:
    """Hash an image's size and its pixels at 16 bits; the same before and after an 8- or 16-bit file.

    Args:
        image: Shape (3, H, W), range [0, 1].
        about: What else is to change the hash.
    """
    levels = (image.detach().float().cpu().clamp(0, 1) * 65535).round().to(torch.int32)
    return hashlib.sha256(f"{about}{tuple(image.shape)}".encode() + levels.numpy().tobytes()).hexdigest()


def current_versions() -> dict[str, str]:
    """Versions that a bit-for-bit replay needs."""
    codecs = {f"lib{name}": str(features.version(name)) for name in ("jpg", "webp")}
    libraries = {name: version(name) for name in ("ldrps", "kornia", "pillow")}
    return {**libraries, **codecs, "torch": torch.__version__, "platform": platform.platform(terse=True)}


def to_json(receipt: Receipt) -> str:
    """Write a receipt, closed by a checksum of its content."""
    content = asdict(receipt)
    return json.dumps({**content, "checksum": checksum(content)}, indent=1) + "\n"


def read_receipt(path: Path) -> Receipt:
    """Read a receipt's file.

    Raises:
        ValueError: If it is none, is of another format, or was changed; one sentence says which.
        OSError: If it cannot be opened.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        expected = content.pop("checksum")
        found = content["format"]
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is no receipt: give a JSON file that `ldrps degrade` wrote") from error
    if found != FORMAT:
        raise ValueError(f"receipt {path} has format {found}, this version reads format {FORMAT}: degrade again")
    if checksum(content) != expected:
        raise ValueError(f"receipt {path} was edited or damaged (its checksum differs): degrade again")
    try:
        return Receipt(**content)
    except TypeError as error:
        raise ValueError(f"receipt {path} has other fields than this version writes: degrade again") from error


def checksum(content: dict[str, Any]) -> str:
    """Hash a receipt's content, whatever its spacing and order."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
