"""Modules of version 0.1.0 that have moved, so that its saved settings and run folders keep working."""

from typing import Any

from degradations import moved

ROOMS = {
    "ldrps.methods": "comparison",
    "ldrps.methods.ld_rps": "colorization guidance ld_rps sampling",
    "ldrps.methods.baselines": "baselines.bicubic baselines.dark_channel baselines.gain baselines.gamma "
    "baselines.non_local_means baselines.stretch baselines.total_variation",
    "ldrps.training": "da_clip latent_diffusion.autoencoder latent_diffusion.denoiser latent_diffusion.prior_adapter "
    "latent_diffusion.text_image",
}
"""The package that each module went to, from the root of ldrps."""

MOVED = moved.MOVED | {
    f"ldrps.{name}": f"{room}.{name.rpartition('.')[2]}" for room, names in ROOMS.items() for name in names.split()
}


def with_current_names(settings: Any) -> Any:
    """Bring every class path of this project in settings up to date.

    Example:
        >>> with_current_names({"class_path": "ldrps.ld_rps.LDRPS", "init_args": {"seed": 3}})
        {'class_path': 'ldrps.methods.ld_rps.ld_rps.LDRPS', 'init_args': {'seed': 3}}
    """
    return moved.with_current_names(settings, MOVED)
