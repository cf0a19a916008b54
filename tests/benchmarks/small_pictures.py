"""Makes two small pictures of scikit-image's, for short sweeps: python -m tests.benchmarks.small_pictures FOLDER"""

import sys
from pathlib import Path

from PIL import Image
from skimage import data


def main(folder):
    Path(folder).mkdir(parents=True, exist_ok=True)
    for picture, size in ((data.cat, (96, 64)), (data.astronaut, (72, 72))):
        Image.fromarray(picture()).resize(size).save(Path(folder) / f"{picture.__name__}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
