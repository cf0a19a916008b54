"""The degradations of photos found in the wild: three shuffled stages of blur, resizing, noise and JPEG."""

from typing import Literal

import torch
from torch import Tensor

from degradations.base import Degradation, eight_bit
from degradations.blur.box_blur import BoxBlur
from degradations.blur.camera_shake import CameraShake
from degradations.blur.defocus_blur import DefocusBlur
from degradations.blur.gaussian_blur import GaussianBlur
from degradations.blur.generalised_gaussian_blur import GeneralisedGaussianBlur
from degradations.blur.mixed_blur import MixedBlur
from degradations.blur.motion_blur import MotionBlur
from degradations.blur.plateau_blur import PlateauBlur
from degradations.blur.ringing import Ringing
from degradations.blur.sinc_filter import SincFilter
from degradations.checks import IntegerInterval, Interval, check_interval, check_probability
from degradations.coding.jpeg import JPEG
from degradations.drawing import Generators, coins, permutations
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.noise.poisson_noise import PoissonNoise
from degradations.parameters import Parameters, nested, unnested
from degradations.pipeline import Maybe, RandomChoice, Sequence
from degradations.resolution.resize import Resize

PerStage = tuple[float, float, float]

STAGES = (("blur", "resize", "noise", "jpeg"), ("blur", "noise"), ("blur", "resize", "jpeg"))
"""Members of each stage, applied in a random order; the resizing of the last stage goes back to the image's size."""

KERNEL_NOISE = (0.9, 1.1)

SMALLEST_SIGMA, SMALLEST_KERNEL = 0.2, 5


class Wild(Degradation):
    """Blur, resizing, noise and JPEG in three stages, each in a random order; the size stays the same.

    The defaults are the probabilities and ranges of the released code. Between the first and the last stage each image
    has a size of its own, so images are damaged one after another, on their device. The result has 8-bit values.

    Args:
        blur_probability: Of a blur in stage 1, 2 and 3.
        blur_sigma: Largest width of the Gaussian kernels in pixels, by stage; the smallest is 0.2.
        largest_kernel: Largest side of a kernel in pixels, odd, by stage; the smallest is 5.
        sinc_probability: Of a sinc filter in place of a mixed kernel, by stage.
        ringing_probability: Of a deconvolution after a mixed kernel of at most 7 pixels.
        resize_probability: One draw per image, for resizing in stage 1 and back in stage 3.
        resize_factor: Interval of the divisor of the sides.
        noise_probability: Of noise in stage 1 and 2.
        noise_sigma: Interval of the Gaussian noise's standard deviation in image units.
        poisson_scale: Interval of the factor of the Poisson noise.
        jpeg_probability: Of JPEG in stage 1 and 3.
        first_quality: Interval of JPEG's quality in stage 1; the released code cuts U(60, 95) to whole numbers.
        last_quality: Interval of JPEG's quality in stage 3; the released code cuts U(80, 100).
        codec: ``libjpeg`` or ``differentiable``, as in `JPEG`.

    Raises:
        ValueError: If a probability or interval is out of range.

    References:
        Luo et al. 2024, Photo-Realistic Image Restoration in the Wild with Controlled Vision-Language Models, Sec. 3,
        and its released code; differences are listed in docs/deviations.md.
    """

    is_differentiable = False

    def __init__(
        self,
        blur_probability: PerStage = (0.8, 0.4, 0.8),
        blur_sigma: PerStage = (2.2, 1.5, 1.0),
        largest_kernel: tuple[int, int, int] = (19, 9, 19),
        sinc_probability: PerStage = (0.1, 0.1, 0.8),
        ringing_probability: float = 0.1,
        resize_probability: float = 0.8,
        resize_factor: Interval = (0.5, 1.4),
        noise_probability: tuple[float, float] = (0.4, 0.2),
        noise_sigma: Interval = (1 / 255, 5 / 255),
        poisson_scale: Interval = (0.01, 0.5),
        jpeg_probability: tuple[float, float] = (0.4, 0.4),
        first_quality: IntegerInterval = (60, 94),
        last_quality: IntegerInterval = (80, 99),
        codec: Literal["libjpeg", "differentiable"] = "libjpeg",
    ) -> None:
        check_per_stage("blur_probability", blur_probability, 3)
        check_per_stage("sinc_probability", sinc_probability, 3)
        check_per_stage("noise_probability", noise_probability, 2)
        check_per_stage("jpeg_probability", jpeg_probability, 2)
        check_per_stage("blur_sigma", blur_sigma, 3, SMALLEST_SIGMA, 100)
        check_per_stage("largest_kernel", largest_kernel, 3, SMALLEST_KERNEL, 511)
        if not all(size % 2 for size in largest_kernel):
            raise ValueError(
                f"largest_kernel={list(largest_kernel)} must be odd numbers, so that kernels have a centre"
            )
        self.blur_probability = blur_probability
        self.blur_sigma = blur_sigma
        self.largest_kernel = largest_kernel
        self.sinc_probability = sinc_probability
        self.ringing_probability = ringing_probability
        self.resize_probability = check_probability("resize_probability", resize_probability)
        self.resize_factor = check_interval("resize_factor", resize_factor, 0.1, 64)
        self.noise_probability = noise_probability
        self.noise_sigma = noise_sigma
        self.poisson_scale = poisson_scale
        self.jpeg_probability = jpeg_probability
        self.first_quality = first_quality
        self.last_quality = last_quality
        self.codec = codec

        self.resize = Resize(resize_factor, ("area", "bilinear", "bicubic"))
        noise = Sequence(
            [
                Maybe(GaussianNoise(noise_sigma, grey_probability=0.4), 0.6),
                Maybe(PoissonNoise(None, poisson_scale, grey_probability=0.4), 0.4),
            ]
        )
        self.steps: list[dict[str, Maybe]] = []
        for stage, largest in enumerate(largest_kernel):
            blur = self._blur(blur_sigma[stage], largest, sinc_probability[stage])
            self.steps.append({"blur": Maybe(blur, blur_probability[stage])})
        for stage in (0, 1):
            self.steps[stage]["noise"] = Maybe(noise, noise_probability[stage])
        for stage, quality, probability in zip((0, 2), (first_quality, last_quality), jpeg_probability, strict=True):
            self.steps[stage]["jpeg"] = Maybe(JPEG(quality, codec), probability)

    def _blur(self, sigma: float, largest_kernel: int, sinc_probability: float) -> RandomChoice:
        widths, sizes = (SMALLEST_SIGMA, sigma), (SMALLEST_KERNEL, largest_kernel)
        mixed = MixedBlur(
            [
                GaussianBlur(widths, True, KERNEL_NOISE),
                GaussianBlur(widths, False, KERNEL_NOISE),
                GeneralisedGaussianBlur(widths, True, (0.5, 2.0), KERNEL_NOISE),
                GeneralisedGaussianBlur(widths, False, (0.5, 2.0), KERNEL_NOISE),
                PlateauBlur(widths, True, (1.0, 1.5)),
                PlateauBlur(widths, False, (1.0, 1.5)),
                DefocusBlur(),
                BoxBlur(),
                MotionBlur(),
                CameraShake(),
            ],
            [0.35, 0.20, 0.10, 0.03, 0.10, 0.03, 0.10, 0.03, 0.03, 0.03],
            sizes,
        )
        ringing = Ringing(mixed, probability=self.ringing_probability, max_kernel_size=7)
        return RandomChoice([SincFilter(kernel_size=sizes), ringing], [sinc_probability, 1 - sinc_probability])

    def sample_parameters(self, generators: Generators) -> Parameters:
        """See `Degradation.sample_parameters`; members of stage i are named ``i.member``."""
        parameters = {"is_resized": coins(self.resize_probability, generators)}
        parameters |= nested("resize", self.resize.sample_parameters(generators))
        for number, (members, steps) in enumerate(zip(STAGES, self.steps, strict=True)):
            parameters[f"{number}.order"] = permutations(len(members), generators)
            for name, step in steps.items():
                parameters |= nested(f"{number}.{name}", step.sample_parameters(generators))
        return parameters

    def degrade(self, image: Tensor, parameters: Parameters) -> Tensor:
        """See `Degradation.degrade`."""
        degraded = torch.empty_like(image)
        for number, row in enumerate(image):
            own = {name: values[number : number + 1] for name, values in parameters.items()}
            degraded[number] = self._degrade_one(row[None], own)[0]
        return degraded

    def _degrade_one(self, image: Tensor, parameters: Parameters) -> Tensor:
        size, resize = tuple(image.shape[2:]), unnested("resize", parameters)
        for stage, name in self._path(parameters):
            if name != "resize":
                image = self._apply(stage, name, image, parameters)
            elif stage == 0:
                image = self.resize.there(image, resize)
            else:
                image = self.resize.back(image, size, resize)
        return eight_bit(image)

    def _apply(self, stage: int, name: str, image: Tensor, parameters: Parameters) -> Tensor:
        own = unnested(f"{stage}.{name}", parameters)
        if not own["is_applied"]:
            return image
        image = self.steps[stage][name].degrade(image, own)
        # The released code rounds after noise, and Poisson noise counts the levels it finds.
        return eight_bit(image) if name == "noise" else image

    def _path(self, parameters: Parameters) -> list[tuple[int, str]]:
        """Stage and name of the steps one image goes through, in order; steps that are skipped count."""
        is_resized = bool(parameters["is_resized"])
        return [
            (stage, members[number])
            for stage, members in enumerate(STAGES)
            for number in parameters[f"{stage}.order"][0].tolist()
            if is_resized or members[number] != "resize"
        ]

    def words(self, parameters: Parameters) -> list[tuple[str, ...]]:
        """See `Degradation.words`; resizing counts as blur, as in the released code."""
        described = []
        for row in range(len(parameters["is_resized"])):
            own = {name: values[row : row + 1] for name, values in parameters.items()}
            words: dict[str, None] = {}
            for stage, name in self._path(own):
                if name == "resize":
                    words["blur"] = None
                else:
                    step = self.steps[stage][name]
                    words |= dict.fromkeys(step.words(unnested(f"{stage}.{name}", own))[0])
            # Kernels of motion are blur like all others there.
            described.append(tuple(dict.fromkeys(word.replace("motion blur", "blur") for word in words)))
        return described


def check_per_stage(name: str, values: tuple[float, ...], count: int, lowest: float = 0, highest: float = 1) -> None:
    """Refuse what is not one number per stage within limits; without them, a probability.

    Raises:
        ValueError: If their number is wrong or one is outside; the message names them and the limits.
    """
    if isinstance(values, int | float) or len(values) != count:
        given = values if isinstance(values, int | float) else list(values)
        raise ValueError(f"{name}={given} must be {count} numbers, one a stage")
    if not all(lowest <= value <= highest for value in values):
        raise ValueError(f"{name}={list(values)} must lie between {lowest:g} and {highest:g}")
