"""`make bench-priors DATA=FOLDER`: what each semantic prior does for the blind preset, all else equal.

python -m tests.benchmarks.priors --data FOLDER --output runs/priors [--limit N] [--texts FOLDER]
"""

from tests.benchmarks.rows import parse_options, run_rows


def variants(texts):
    """Preset and changes of each row, by the name of the row."""
    priors = {
        "none": ["--model.prior=modules.priors.null.Null"],
        "text: good quality": [
            "--model.prior=modules.priors.text.Text",
            "--model.prior.prompt=a photo of good quality",
        ],
        "DA-CLIP captions": ["--model.prior=modules.priors.da_clip.DACLIP", "--model.prior.names_damage=false"],
        "DA-CLIP captions, damage": ["--model.prior=modules.priors.da_clip.DACLIP"],
        "DA-CLIP adapter": ["--model.prior=modules.priors.da_clip_adapter.DACLIPAdapter"],
        "DA-CLIP adapter, captions": [
            "--model.prior=modules.priors.da_clip_adapter.DACLIPAdapter",
            "--model.prior.with_text=true",
        ],
    }
    if texts:
        priors["text: by a person"] = [
            "--model.prior=modules.priors.prompt_file.PromptFile",
            f"--model.prior.folder={texts}",
        ]
    rows = {name: ("blind", arguments) for name, arguments in priors.items()}
    # The output filter hides most of what a prior does to the sample: the same without it.
    decoded = "--model.output=modules.outputs.decoded.Decoded"
    return rows | {f"{name}; sample": ("blind", [*arguments, decoded]) for name, arguments in priors.items()}


def main():
    options = parse_options(__doc__, "runs/priors", texts="folder with a text file for each photo")
    run_rows(variants(options.texts), options)


if __name__ == "__main__":
    main()
