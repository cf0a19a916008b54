"""DA-CLIP: a CLIP whose image tower is steered by a trainable copy of itself, the controller."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, CLIPVisionModelWithProjection, PretrainedConfig, PreTrainedModel

from modules.networks.detail_tower import DetailTower

OPENAI_MEAN, OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pixels CLIP was trained on (Radford et al. 2021, released code)."""


class DACLIPConfig(PretrainedConfig):
    """What a DA-CLIP folder's ``config.json`` holds.

    Args:
        clip_config: Settings of the `CLIPModel`; the controller has those of its image tower.
        image_mean: What is subtracted from each channel of an image in [0, 1].
        image_std: What the difference is divided by.
        words: The damage the controller was trained to name.
        word_template: Text whose embedding stands for a word; ``{}`` is the word.
        has_detail: Whether a `DetailTower` also looks at crops of the full resolution, for the words alone.
    """

    model_type = "da_clip"

    def __init__(
        self,
        clip_config: dict[str, Any] | None = None,
        image_mean: Sequence[float] = OPENAI_MEAN,
        image_std: Sequence[float] = OPENAI_STD,
        words: Sequence[str] = (),
        word_template: str = "{}",
        has_detail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.clip_config = clip_config or CLIPConfig().to_dict()
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)
        self.words = list(words)
        self.word_template = word_template
        self.has_detail = has_detail


class DACLIPModel(PreTrainedModel):
    """Frozen CLIP plus controller; embeddings are not normalised.

    The controller is the image tower with weights of its own, on the same image. What each of its blocks puts out goes
    through a linear layer, zero at the start of training, and is added to the frozen tower's blocks in reverse order:
    the last controller block's after the first block of the tower.

    Args:
        config: Sizes.

    References:
        Luo et al. 2024, Controlling Vision-Language Models for Multi-Task Image Restoration, Sec. 3.1 and released code
        (the reverse order).
    """

    config_class = DACLIPConfig
    base_model_prefix = "da_clip"
    main_input_name = "images"

    def __init__(self, config: DACLIPConfig) -> None:
        super().__init__(config)
        clip_config = CLIPConfig(**config.clip_config)
        self.clip = CLIPModel(clip_config)
        vision: Any = clip_config.vision_config
        vision.projection_dim = clip_config.projection_dim
        self.controller = CLIPVisionModelWithProjection(vision)
        self.zero_layers = nn.ModuleList(
            nn.Linear(vision.hidden_size, vision.hidden_size) for _ in range(vision.num_hidden_layers)
        )
        # Learnt with the controller; the frozen CLIP keeps its own.
        self.logit_scale = nn.Parameter(self.clip.logit_scale.detach().clone())
        width: Any = clip_config.projection_dim
        self.detail = DetailTower(width) if config.has_detail else None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Set the zero layers to zero; CLIP's own classes and torch set the others."""
        silent = [*self.zero_layers, *([] if self.detail is None else [self.detail.projection])]
        if isinstance(module, nn.Linear) and any(module is layer for layer in silent):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    @property
    def image_size(self) -> int:
        """Side in pixels of what the image towers see."""
        size: Any = self.controller.config.image_size
        return int(size)

    @property
    def patch_size(self) -> int:
        """Side in pixels of one patch; images with a shorter side are too small."""
        size: Any = self.controller.config.patch_size
        return int(size)

    @property
    def max_tokens(self) -> int:
        """Longest text in tokens."""
        text: Any = self.clip.config.text_config
        return int(text.max_position_embeddings)

    def begin_training(self) -> None:
        """Start the controller as a copy of the frozen tower, with nothing to say, and freeze all else."""
        self.controller.vision_model.load_state_dict(self.clip.vision_model.state_dict())
        self.controller.visual_projection.load_state_dict(self.clip.visual_projection.state_dict())
        self.zero_layers.apply(self._init_weights)
        self.requires_grad_(True)
        self.clip.requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Content and degradation embedding of each image, both shape (B, D).

        Args:
            images: Shape (B, 3, H, W), range [0, 1].

        Raises:
            ValueError: If an image has a side shorter than a patch.
        """
        pixels = self.prepare(images)
        residuals: list[Tensor] = []
        tower = self.controller.vision_model
        hidden = tower.pre_layrnorm(tower.embeddings(pixels))
        for layer, zero_layer in zip(tower.encoder.layers, self.zero_layers, strict=True):
            hidden = layer(hidden, attention_mask=None)
            residuals.append(zero_layer(hidden))
        degradation = self.controller.visual_projection(tower.post_layernorm(hidden[:, 0]))

        tower = self.clip.vision_model
        hidden = tower.pre_layrnorm(tower.embeddings(pixels))
        for layer, residual in zip(tower.encoder.layers, reversed(residuals), strict=True):
            hidden = layer(hidden, attention_mask=None) + residual
        content = self.clip.visual_projection(tower.post_layernorm(hidden[:, 0]))
        return content, degradation

    def damage(self, images: Tensor) -> Tensor:
        """What words for the damage are compared with, shape (B, D): the degradation embedding, and what crops add.

        Networks that were trained with the embeddings of `forward` are not concerned.

        Args:
            images: Shape (B, 3, H, W), range [0, 1].
        """
        _, degradation = self(images)
        return self.with_detail(degradation, images)

    def with_detail(self, degradation: Tensor, images: Tensor) -> Tensor:
        """`damage` of images whose degradation embedding, shape (B, D), is known."""
        # Only directions count for words, and both shall have a say.
        return degradation if self.detail is None else F.normalize(degradation, dim=1) + self.detail(images)

    def image_embedding(self, images: Tensor) -> Tensor:
        """What the frozen CLIP alone says of each image, shape (B, D).

        Args:
            images: Shape (B, 3, H, W), range [0, 1].
        """
        tower = self.clip.vision_model
        return self.clip.visual_projection(tower(self.prepare(images)).pooler_output)

    def text_embedding(self, input_ids: Tensor) -> Tensor:
        """Embeddings, shape (B, D), of tokens, shape (B, L)."""
        return self.clip.text_projection(self.clip.text_model(input_ids).pooler_output)

    def prepare(self, images: Tensor) -> Tensor:
        """Resize the shorter side (bicubic), crop the centre, normalise: what CLIP was trained on.

        Raises:
            ValueError: If an image has a side shorter than a patch.
        """
        height, width = images.shape[-2:]
        patch = self.patch_size
        if min(height, width) < patch:
            raise ValueError(
                f"an image of {width} x {height} pixels is too small for the image tower, whose patches have "
                f"{patch} pixels a side: use the prior null"
            )
        side = self.image_size
        if (height, width) != (side, side):
            scale = side / min(height, width)
            size = max(side, round(height * scale)), max(side, round(width * scale))
            images = F.interpolate(images.float(), size=size, mode="bicubic", antialias=True).clamp(0, 1)
            top, left = (size[0] - side) // 2, (size[1] - side) // 2
            images = images[..., top : top + side, left : left + side]
        mean, std = (images.new_tensor(row).view(3, 1, 1) for row in (self.config.image_mean, self.config.image_std))
        return ((images - mean) / std).to(self.dtype)


def load_da_clip(folder: Path | str) -> DACLIPModel:
    """Read a DA-CLIP folder.

    Raises:
        ValueError: If there is none, or weights are missing; the message names the first missing ones.
    """
    if not (Path(folder) / "config.json").is_file():
        raise ValueError(
            f"{str(folder)!r} holds no DA-CLIP: make such a folder with `ldrps convert CHECKPOINT --output FOLDER`"
        )
    try:
        loaded: Any = DACLIPModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f"DA-CLIP {str(folder)!r} cannot be read: {' '.join(str(error).split())[:200]}") from error
    network: DACLIPModel
    network, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"DA-CLIP {str(folder)!r} lacks {len(missing)} weights, the first are {', '.join(missing[:3])}: "
            "convert the checkpoint again"
        )
    return network.eval().requires_grad_(False)
