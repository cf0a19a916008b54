"""`make bench-ablation DATA=FOLDER`: what each part of the blind preset does, one change at a time.

One `ldrps test` run with a row for each change; started again with the same options, it goes on where it stopped.

python -m tests.benchmarks.ablation --data FOLDER --output runs/ablation [--limit N] [--only NAME ...]
"""

import json
import shutil

import torch
from diffusers import UNet2DConditionModel

from modules.backbones.loading import package_folder
from tests.benchmarks.rows import parse_options, run_rows

MINI = package_folder("package:ldrps/pretrained/mini")
TONE_CURVE = {"class_path": "modules.alignment.tone_curve.ToneCurve"}
F_PAM = {"class_path": "modules.alignment.fpam.FPAM", "init_args": {"width": 16}}
QUALITY = {
    "fidelity": {"loss": "modules.losses.relative_l2.RelativeL2"},
    "exposure": {"loss": "modules.losses.exposure.Exposure", "weight": 0.3, "max_timestep": 150},
    "color": {"loss": "modules.losses.color_constancy.ColorConstancy", "weight": 0.3, "max_timestep": 150},
}
PERCEPTUAL = {
    "fidelity": {"loss": "modules.losses.relative_l2.RelativeL2"},
    "perceptual": {"loss": "modules.losses.perceptual.Perceptual", "weight": 0.01},
}


def reference(name, terms):
    """A preset of the released code on the embedded model, at the photo's own size, with 25 of its 450 steps."""
    features = [f"--model.{group}.perceptual.loss=modules.losses.perceptual.Perceptual" for group in terms]
    return f"reference_{name}", [
        f"--model.backbone.path={MINI}",
        "--model.backbone.scheduler=diffusers.DDIMScheduler",
        "--model.prior=modules.priors.null.Null",
        "--model.working_scale=1",
        "--model.sampling.num_inference_steps=25",
        *features,
    ]


def variants(random_denoiser):
    """Preset and changes of each row, by the name of the row."""
    changes = {
        "full method": [],
        "output: decoded sample": ["--model.output=modules.outputs.decoded.Decoded"],
        "output: one round": ["--model.output.num_rounds=1"],
        "alignment: identity": ["--model.alignment=modules.alignment.identity.Identity"],
        "alignment: affine": ["--model.alignment=modules.alignment.affine.Affine"],
        "alignment: tone curve": [f"--model.alignment={json.dumps(TONE_CURVE)}"],
        "alignment: F-PAM": [f"--model.alignment={json.dumps(F_PAM)}", "--model.alignment_optimizer.lr=0.0005"],
        "alignment: tone curve, F-PAM": [
            "--model.alignment=modules.alignment.chained.Chained",
            f"--model.alignment.first={json.dumps(F_PAM)}",
            f"--model.alignment.second={json.dumps(TONE_CURVE)}",
            "--model.alignment_optimizer.lr=0.0005",
        ],
        "alignment: plain stack": [
            "--model.alignment=modules.alignment.plain_stack.PlainStack",
            "--model.alignment_optimizer.lr=0.0005",
        ],
        "alignment: guess kept": ["--model.alignment_losses.l2.weight=0"],
        "brightness and colour losses": [f"--model.losses={json.dumps(QUALITY)}"],
        "perceptual loss": [f"--model.losses={json.dumps(PERCEPTUAL)}"],
        "L2 instead of relative L2": ['--model.losses={"fidelity": {"loss": "modules.losses.l2.L2"}}'],
        "1 recurrence": refinements(1),
        "2 recurrences": refinements(2),
        "3 recurrences": refinements(3),
        "free chain": ["--model.sampling.num_free_chains=1"],
        "start from noise": ["--model.sampling.start_from=noise"],
        "text": ["--model.prior=modules.priors.text.Text", "--model.prior.prompt=a photo of good quality"],
        "x0 prediction after the step": ["--model.sampling.use_stepped_x0=true"],
        "guidance raw (strength 80)": ["--model.guidance.scale=raw", "--model.guidance.strength=80"],
        "50 steps": ["--model.sampling.num_inference_steps=50"],
        "100 steps": ["--model.sampling.num_inference_steps=100"],
        "450 steps": ["--model.sampling.num_inference_steps=450"],
        "random denoiser": [f"--model.backbone.path={random_denoiser}"],
        "random denoiser, decoded": [
            f"--model.backbone.path={random_denoiser}",
            "--model.output=modules.outputs.decoded.Decoded",
        ],
        "without colouring": ["--model.colorization=null"],
        "colour of one sample": ["--model.colorization.num_samples=1"],
        "guidance off": ["--model.guidance.strength=0"],
        "guidance off, decoded": ["--model.guidance.strength=0", "--model.output=modules.outputs.decoded.Decoded"],
    }
    # Without text: what the priors do has a table of its own.
    rows = {name: ("blind", ["--model.prior=modules.priors.null.Null", *own]) for name, own in changes.items()}
    rows["released: low light"] = reference("low_light", ["losses", "alignment_losses"])
    rows["released: dehazing"] = reference("dehazing", ["losses", "alignment_losses"])
    rows["released: denoising"] = reference("denoising", ["alignment_losses"])
    return rows


def refinements(count):
    return [f"--model.sampling.num_refinements={count}", "--model.sampling.strength=0.2"]


def make_random_denoiser(folder):
    """The embedded model with the denoiser's weights drawn anew."""
    if folder.exists():
        return folder
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("unet"))
    torch.manual_seed(0)
    config = UNet2DConditionModel.load_config(f"{MINI}/unet")
    UNet2DConditionModel.from_config(config).half().save_pretrained(folder / "unet")
    return folder


def main():
    options = parse_options(__doc__, "runs/ablation")
    options.output.mkdir(parents=True, exist_ok=True)
    rows = variants(make_random_denoiser(options.output / "random_denoiser"))
    raise SystemExit(run_rows(rows, options))


if __name__ == "__main__":
    main()
