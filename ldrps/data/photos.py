"""Training photos, read from WebDataset shards, image folders or lists."""

import io
import json
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Subset

from ldrps.data.image_files import load_pixels, to_picture, to_tensor
from ldrps.data.inputs import files_in
from ldrps.data.original import DAMAGED, upright
from ldrps.data.own_colours import to_srgb
from ldrps.data.photo_lists import LIST_SUFFIXES, captions_of, read_photo_list
from ldrps.data.resumable import Draw, ResumableLoader, ShuffledBatches
from ldrps.data.suffixes import HEIF_SUFFIXES, IMAGE_SUFFIXES

TRAINING_SUFFIXES = IMAGE_SUFFIXES - HEIF_SUFFIXES


@dataclass(frozen=True)
class Record:
    """Where one photo lies: a file, or a byte range of a tar shard."""

    path: Path
    offset: int
    size: int
    captions: tuple[str, ...]


class Photos(Dataset[dict[str, Any]]):
    """Random square crops of photos with a caption each.

    A shard is a tar file of ``KEY.webp`` (or another image type) and ``KEY.json``, perhaps with a list ``captions``;
    a folder holds images with optional ``NAME.txt`` beside them. Bytes are read on demand; decoded photos are kept (one
    byte per channel and pixel) as long as there is room for them, so that later epochs cost no decoding.

    Args:
        sources: Shards (``.tar``), folders, and lists (``.csv``, ``.jsonl``).
        crop_size_px: Side of the square crops; photos with a shorter side are enlarged to it.
        aspect_jitter: The width-to-height ratio is multiplied by a factor in [1 / (1 + j), 1 + j].
        is_training: Random crop, flip and caption; otherwise the centre crop and the first caption.
        kept_gib: Room for decoded photos, in each process that reads.
        shrunk_share: Share of photos that are shrunk by half, and mirrored at their edges where a crop needs more.
            Most files hold colours at half the resolution and faint details not at all; shrunk photos have them.

    Raises:
        ValueError: If a source does not exist, no image is found, or shrunk_share lies outside [0, 1].
    """

    def __init__(
        self,
        sources: Sequence[str],
        crop_size_px: int = 128,
        aspect_jitter: float = 0.15,
        is_training: bool = True,
        kept_gib: float = 4.0,
        shrunk_share: float = 0.0,
    ) -> None:
        if not 0 <= shrunk_share <= 1:
            raise ValueError(f"shrunk_share={shrunk_share} must lie in [0, 1]")
        self.shrunk_share = shrunk_share
        self.crop_size_px = crop_size_px
        self.aspect_jitter = aspect_jitter
        self.is_training = is_training
        self.records = [record for source in sources for record in find_records(Path(source))]
        if not self.records:
            raise ValueError(f"no image found in {list(sources)}: give .tar shards or folders of images")
        self._decoded: dict[int, np.ndarray] = {}
        self._room = kept_gib * 2**30

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, item: int | Draw) -> dict[str, Any]:
        """One photo; with the seed of a `Draw`, always the same crop of it, else one by torch's random numbers."""
        index, seed = (item, int(torch.randint(2**31, ()))) if isinstance(item, int) else item
        photo = Image.fromarray(self._decode(index))
        captions = self.records[index].captions or ("",)
        rng = random.Random(seed if self.is_training else index)
        # Nothing is drawn where nobody asks for it, so that earlier trainings can be gone on with.
        if self.shrunk_share and rng.random() < self.shrunk_share:
            photo = shrunk(photo, self.crop_size_px)
        crop = self._crop(photo, rng)
        return {"image": to_tensor(crop), "caption": rng.choice(captions) if self.is_training else captions[0]}

    def _decode(self, index: int) -> np.ndarray:
        """Pixels of a photo. One that cannot be read ends the training: another in its place would be seen twice."""
        if index in self._decoded:
            return self._decoded[index]
        record = self.records[index]
        with record.path.open("rb") as stream:
            stream.seek(record.offset)
            content = stream.read(record.size)
        try:
            with Image.open(io.BytesIO(content)) as image:
                photo = eight_bit_rgb(image)
        except DAMAGED as error:
            place = f", byte {record.offset}" if record.offset else ""
            raise ValueError(
                f"training photo {str(record.path)!r}{place} cannot be read ({error}): take it out, or fetch it again"
            ) from error
        if photo.nbytes <= self._room:
            self._room -= photo.nbytes
            self._decoded[index] = photo
        return photo

    def _crop(self, photo: Image.Image, rng: random.Random) -> Image.Image:
        side = self.crop_size_px
        jitter = (1 + self.aspect_jitter) ** rng.uniform(-1, 1) if self.is_training else 1.0
        width, height = photo.width * jitter**0.5, photo.height / jitter**0.5
        enlarge = max(1.0, side / width, side / height)
        width, height = max(side, round(width * enlarge)), max(side, round(height * enlarge))
        if (width, height) != photo.size:
            photo = photo.resize((width, height), Image.Resampling.BICUBIC)
        if not self.is_training:
            left, top = (width - side) // 2, (height - side) // 2
            return photo.crop((left, top, left + side, top + side))
        left, top = rng.randint(0, width - side), rng.randint(0, height - side)
        crop = photo.crop((left, top, left + side, top + side))
        return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop


class PhotoData(LightningDataModule):
    """Photos for training, with some held out for validation.

    Args:
        sources: Shards (``.tar``), folders of images, and lists of them (``.csv``, ``.jsonl``).
        crop_size_px: Side of the square crops.
        batch_size: Crops per step and device.
        num_held_out: Photos kept out of training, one in so many; about half of them at most.
        num_workers: Loader processes per device; 0 suits a machine with few cores.
        only_captioned: Leave out photos without a caption (for text-image training).
        seed: Seed of order and crops. They depend on nothing else, so that an interrupted training goes on with the
            photos that it would have seen.
        kept_gib: Room for decoded photos in the memory of each loader process; beyond it they are decoded each time.
        shrunk_share: Share of photos that are shrunk by half, see `Photos`.
    """

    def __init__(
        self,
        sources: Sequence[str],
        crop_size_px: int = 128,
        batch_size: int = 16,
        num_held_out: int = 256,
        num_workers: int = 0,
        only_captioned: bool = False,
        seed: int = 0,
        kept_gib: float = 4.0,
        shrunk_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.sources = list(sources)
        self.crop_size_px = crop_size_px
        self.batch_size = batch_size
        self.num_held_out = num_held_out
        self.num_workers = num_workers
        self.only_captioned = only_captioned
        self.seed = seed
        self.kept_gib = kept_gib
        self.shrunk_share = shrunk_share

    def setup(self, stage: str) -> None:
        """Index the sources and split them."""
        training = Photos(self.sources, self.crop_size_px, kept_gib=self.kept_gib, shrunk_share=self.shrunk_share)
        held_out = Photos(
            self.sources, self.crop_size_px, is_training=False, kept_gib=self.kept_gib, shrunk_share=self.shrunk_share
        )
        # One in so many of all photos: what is held out with captions is held out without them, too.
        stride = max(2, len(training) // max(1, self.num_held_out))
        chosen = set(range(0, len(training), stride)[: self.num_held_out])
        kept = [index for index, record in enumerate(training.records) if record.captions or not self.only_captioned]
        self.training = Subset(training, [index for index in kept if index not in chosen])
        self.held_out = Subset(held_out, [index for index in kept if index in chosen])
        self.captions = [caption for record in training.records for caption in record.captions]

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled crops, incomplete last batch dropped; each process has photos of its own."""
        rank, world_size = (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        batches = ShuffledBatches(self.training.indices, self.batch_size, self.seed, rank, world_size)
        return ResumableLoader(self.training.dataset, batches, self.num_workers)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Centre crops of the held-out photos."""
        return DataLoader(self.held_out, batch_size=self.batch_size)


def shrunk(photo: Image.Image, side: int) -> Image.Image:
    """A photo at half its size, mirrored at its right and lower edges as far as a square of this side needs it."""
    half = np.asarray(photo.resize((max(1, photo.width // 2), max(1, photo.height // 2)), Image.Resampling.BICUBIC))
    missing = [max(0, side - length) for length in half.shape[:2]]
    return Image.fromarray(np.pad(half, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="symmetric"))


def eight_bit_rgb(image: Image.Image) -> np.ndarray:
    """The pixels of an opened photo, shape (H, W, 3), read as photos that are restored are, but in 8 bits."""
    load_pixels(image)
    turned = upright(image)
    if turned.mode == "RGB":
        # As `to_picture` does it, without the detour over floats, which takes half as long as decoding.
        srgb, _, _ = to_srgb(turned)
        return np.asarray(srgb)
    pixels: np.ndarray = (to_picture(turned, file_image=image).image.permute(1, 2, 0) * 255).round().byte().numpy()
    return pixels


def find_records(source: Path) -> list[Record]:
    """List the photos of one shard or folder, sorted by name, or of one list, in its order.

    Raises:
        ValueError: If the source does not exist or is damaged.
    """
    if source.suffix.lower() in LIST_SUFFIXES and source.is_file():
        return [Record(path, 0, path.stat().st_size, captions) for path, captions in read_photo_list(source)]
    if source.suffix == ".tar" and source.is_file():
        try:
            return _shard_records(source)
        except (tarfile.TarError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"shard {str(source)!r} is damaged or cut off ({error}): fetch it again") from error
    if source.is_dir():
        files = [file for file in files_in(source) if file.suffix.lower() in TRAINING_SUFFIXES]
        return [Record(path, 0, path.stat().st_size, _side_captions(path)) for path in files]
    raise ValueError(
        f"training source {str(source)!r} is neither a .tar shard, nor a folder, nor a .csv or .jsonl list"
    )


def _shard_records(shard: Path) -> list[Record]:
    images: dict[str, tarfile.TarInfo] = {}
    captions: dict[str, tuple[str, ...]] = {}
    with tarfile.open(shard) as archive:
        for member in archive:
            key, _, suffix = member.name.rpartition(".")
            if f".{suffix.lower()}" in TRAINING_SUFFIXES:
                images[key] = member
            elif suffix == "json" and (stream := archive.extractfile(member)):
                about = json.load(stream)
                if not isinstance(about, dict):
                    raise ValueError(
                        f"{member.name} of shard {str(shard)!r} is no JSON object: give captions as {{...}}"
                    )
                captions[key] = captions_of(about)
    return [
        Record(shard, member.offset_data, member.size, captions.get(key, ())) for key, member in sorted(images.items())
    ]


def _side_captions(path: Path) -> tuple[str, ...]:
    text = path.with_suffix(".txt")
    try:
        lines = text.read_text(encoding="utf-8").split("\n") if text.is_file() else []
    except UnicodeDecodeError as error:
        raise ValueError(f"caption {str(text)!r} is not UTF-8 ({error}): save it as UTF-8") from error
    return tuple(line for line in lines if line.strip())[:1]
