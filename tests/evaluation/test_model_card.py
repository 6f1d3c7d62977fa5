"""The card of a prior says what its folder holds."""

import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from lodestone.evaluation.model_card import SHOWN, draw_loss, write_card
from lodestone.priors.embedded import embedded_folder


def test_falling_loss_is_drawn_falling():
    picture = np.asarray(draw_loss([[100, 1.0], [200, 0.5], [300, 0.1]]).convert("L"))
    line = [np.flatnonzero(picture[16:214, x] < 150).mean() for x in (80, 200, 350, 500, 600)]
    assert all(a < b for a, b in pairwise(line))


def test_shipped_card_agrees_with_the_shipped_training():
    folder = embedded_folder()
    card = (folder / "README.md").read_text(encoding="utf-8")
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert f"{training['steps']} steps" in card and all(caption in card for caption in SHOWN)
    assert sum(file.stat().st_size for file in folder.rglob("*.safetensors")) < 40e6


@pytest.mark.slow
def test_card_is_written_beside_the_weights(tmp_path):
    """A copy of the shipped folder without weights' pictures gets new ones."""
    folder = tmp_path / "prior"
    folder.mkdir()
    for file in embedded_folder().rglob("*"):
        if file.suffix in (".json", ".safetensors"):
            target = folder / file.relative_to(embedded_folder())
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(file)
    write_card(folder, "A sentence.")
    assert "A sentence." in (folder / "README.md").read_text(encoding="utf-8")
    with Image.open(folder / "samples.webp") as sheet:
        assert sheet.size == (64 * len(SHOWN), 128)
