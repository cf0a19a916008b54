"""`make bench-da-clip DATA=SHARDS`: what the embedded DA-CLIP says of damaged photos that it was not trained on.

python -m tests.benchmarks.da_clip --data SHARD... [--path FOLDER] [--limit N] [--picture FILE]
"""

import argparse
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import track

from degradations.blur.defocus_blur import DefocusBlur
from degradations.blur.motion_blur import MotionBlur
from degradations.coding.jpeg import JPEG
from degradations.drawing import generators_for
from degradations.light.grey import Grey
from degradations.light.low_light import LowLight
from degradations.missing.box_mask import BoxMask
from degradations.noise.gaussian_noise import GaussianNoise
from degradations.resolution.down_sampling import DownSampling
from degradations.weather.haze import Haze
from degradations.weather.rain import Rain
from degradations.weather.snow import Snow
from ldrps.configuration.quiet import quieten
from ldrps.data.photos import PhotoData
from modules.backbones.loading import package_folder
from modules.priors.da_clip import DACLIP

MINI = package_folder("package:ldrps/pretrained/mini")
BATCH = 64

DAMAGES = {
    "noise": {
        "light": GaussianNoise((0.06, 0.06)),
        "medium": GaussianNoise((0.1, 0.1)),
        "heavy": GaussianNoise((50 / 255,) * 2),
    },
    "blur": {"light": DefocusBlur((5, 5)), "medium": DefocusBlur((9, 9)), "heavy": DefocusBlur((13, 13))},
    "motion blur": {"light": MotionBlur((9, 9)), "medium": MotionBlur((15, 15)), "heavy": MotionBlur((21, 21))},
    "low light": {"light": LowLight((1.5, 1.5)), "medium": LowLight((2.5, 2.5)), "heavy": LowLight((3.5, 3.5))},
    "haze": {name: Haze((t, t), (0.9, 0.9), 4) for name, t in (("light", 0.6), ("medium", 0.4), ("heavy", 0.2))},
    "grey": {"full": Grey()},
    "jpeg block": {name: JPEG((q, q)) for name, q in (("light", 30), ("medium", 15), ("heavy", 8))},
    "low resolution": {"x2": DownSampling((2, 2)), "x3": DownSampling((3, 3)), "x4": DownSampling((4, 4))},
    "rain": {"medium": Rain()},
    "snow": {"medium": Snow()},
    "missing parts": {"medium": BoxMask()},
}


def held_out(sources, limit, shrunk_share=0.0):
    """Centre crops of photos that the trainings held out."""
    # The number that the training holds out decides which photos they are.
    data = PhotoData(sources, num_held_out=256, shrunk_share=shrunk_share)
    data.setup("validate")
    return torch.stack([data.held_out[index]["image"] for index in range(min(limit, len(data.held_out)))])


@torch.no_grad()
def measure(prior, photos):
    """Counts of the likeliest word and mean cosines, by damage and severity."""
    network = prior.network
    clean = torch.cat([network.image_embedding(batch) for batch in photos.split(BATCH)])
    kinds = [("clean", "", None)] + [
        (word, *pair) for word, severities in DAMAGES.items() for pair in severities.items()
    ]
    counts, cosines = {}, {}
    for word, severity, degradation in track(kinds, "degrading", console=Console(stderr=True)):
        said, before, after = [], [], []
        for number, batch in enumerate(photos.split(BATCH)):
            keys = range(number * BATCH, number * BATCH + len(batch))
            damaged = batch if degradation is None else degradation(batch, generators_for(0, keys))
            content, _ = network(damaged)
            said += [next(iter(own)) for own in prior.probabilities(network.damage(damaged))]
            own = clean[number * BATCH :][: len(batch)]
            before.append(F.cosine_similarity(network.image_embedding(damaged), own))
            after.append(F.cosine_similarity(content, own))
        counts[word, severity] = {name: said.count(name) for name in prior.words}
        cosines[word, severity] = torch.cat(before).mean().item(), torch.cat(after).mean().item()
    return counts, cosines


def draw(counts, words, file):
    """The confusion matrix: a row for each damage and severity, in percent."""
    rows = [[100 * own[word] / sum(own.values()) for word in words] for own in counts.values()]
    figure, axes = plt.subplots(figsize=(8, 9), layout="constrained")
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(words)), words, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), [f"{word} {severity}".strip() for word, severity in counts])
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            if value >= 1:
                axes.text(
                    column, row, f"{value:.0f}", ha="center", va="center", color="w" if value > 60 else "k", size=8
                )
    axes.set_xlabel("likeliest word (% of the photos)")
    figure.savefig(file, dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="the shards or folders of the training")
    parser.add_argument("--path", default=f"{MINI}/da_clip")
    parser.add_argument("--limit", default=256, type=int)
    parser.add_argument("--picture", default="da_clip.png")
    options = parser.parse_args()
    quieten()
    prior = DACLIP(options.path)
    prior.load()
    counts, cosines = measure(prior, held_out(options.data, options.limit))
    draw(counts, prior.words, options.picture)
    lines = ["| damage | severity | named rightly | cosine of plain CLIP | with controller |", "|---|---|---|---|---|"]
    shares = {kind: own.get(kind[0], 0) / sum(own.values()) for kind, own in counts.items()}
    for (word, severity), share in shares.items():
        before, after = cosines[word, severity]
        lines.append(f"| {word} | {severity} | {share:.0%} | {before:.3f} | {after:.3f} |")
    lines += ["", f"Mean of the rows {sum(shares.values()) / len(shares):.1%}; chance {1 / len(prior.words):.1%}."]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
