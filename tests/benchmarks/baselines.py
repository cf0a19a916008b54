"""What a user would otherwise reach for: simple blind tools, on arrays of shape (H, W, 3), range [0, 1]."""

import numpy as np
from scipy.ndimage import minimum_filter
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, estimate_sigma


def gamma_to_mid_grey(image):
    """The gamma under which the mean brightness is 0.5."""
    mean = float(np.clip(image.mean(), 1e-3, 1 - 1e-3))
    return image ** (np.log(0.5) / np.log(mean))


def total_variation(image):
    """Chambolle's total variation with the usual weight 0.1."""
    return denoise_tv_chambolle(image, weight=0.1, channel_axis=2)


def non_local_means(image):
    """Non-local means with the noise estimated from the picture."""
    sigma = float(np.mean(estimate_sigma(image, channel_axis=2)))
    return denoise_nl_means(
        image, h=0.8 * sigma, sigma=sigma, patch_size=5, patch_distance=6, fast_mode=True, channel_axis=2
    )


def stretch(image):
    """The 1st and 99th percentile of all values become black and white."""
    low, high = np.percentile(image, [1, 99])
    return np.clip((image - low) / max(high - low, 1e-3), 0, 1)


def dark_channel(image, window=15, omega=0.95, floor=0.1):
    """Dark channel prior (He et al. 2009), without soft matting."""
    dark = minimum_filter(image.min(axis=2), window)
    brightest = np.argsort(dark.ravel())[-max(1, dark.size // 1000) :]
    airlight = image.reshape(-1, 3)[brightest].max(axis=0)
    transmission = 1 - omega * minimum_filter((image / airlight).min(axis=2), window)
    return np.clip((image - airlight) / np.maximum(transmission, floor)[..., None] + airlight, 0, 1)


BASELINES = (gamma_to_mid_grey, total_variation, non_local_means, stretch, dark_channel)
