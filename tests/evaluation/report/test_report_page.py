"""`report.json` and `report.html` of constructed assets."""

import base64
import io
import json
from html.parser import HTMLParser

import pytest
import torch
from constructed_judge import FRONT, ConstructedJudge, turn
from PIL import Image

from lodestone.data.emoji import load_emoji
from lodestone.evaluation.efficientnet import EfficientNetLite0
from lodestone.evaluation.recognition import PictureIndex
from lodestone.evaluation.report.assets import Views, judge_asset, named
from lodestone.evaluation.report.page import page, write_report
from lodestone.evaluation.report.report import EvaluatedRun, Report


def views(color=(0.8, 0.1, 0.1)):
    """A square of one colour on white."""
    images, solid = torch.ones(8, 16, 16, 3), torch.zeros(8, 16, 16, dtype=torch.bool)
    images[:, 4:12, 4:12], solid[:, 4:12, 4:12] = torch.tensor(color), True
    return Views(color=images, solid=solid, azimuth=turn())


def evaluated(judge, prompt, recipe="sds-gs", **others):
    asset = judge_asset(judge, views(), prompt=prompt, **others)
    return EvaluatedRun(asset=asset, run=f"outputs/{prompt}", recipe=recipe, prior="embedded", estimator="")


@pytest.fixture(scope="module")
def report():
    two_faces = ConstructedJudge("mug", sides=(FRONT,) * 8, colors={"mug": "red"})
    whole = ConstructedJudge("mug", colors={"mug": "blue"})
    runs = (
        evaluated(two_faces, "a red mug", seconds=12.5),
        evaluated(whole, "a red mug on a wooden table", seconds=7.5),
        evaluated(whole, 'a <b>"dragon"</b> & co', recipe="csd-gs"),
    )
    return Report(runs=runs, left_out={"a <cat>": "step 3: the scene has become empty"})


class Page(HTMLParser):
    """What is on a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.pictures, self.words = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_has_a_picture_of_every_asset(report):
    found = Page(page(report))
    assert found.open == [] and found.tags.count("article") == len(report.runs) == len(found.pictures)
    assert not {"script", "link", "iframe"} & set(found.tags)
    for picture in found.pictures:
        kind, _, data = picture["src"].partition(",")
        assert kind == "data:image/webp;base64" and picture["alt"]
        with Image.open(io.BytesIO(base64.b64decode(data))) as strip:
            assert (strip.width, strip.height) == (int(picture["width"]), int(picture["height"]))
            red, green, blue = strip.convert("RGB").getpixel((strip.height // 2, strip.height // 2))
            assert red > 180 and green < 60 and blue < 60
    assert page(report).count("http") == 0


def test_words_of_prompts_are_text(report):
    words = " ".join(Page(page(report)).words)
    assert 'a <b>"dragon"</b> & co' in words and "a <cat>: step 3" in words
    assert "several fronts" in words and "not of the world" in words and "12 s" in words


def test_rows_of_the_summary_are_those_that_apply(report):
    words = Page(page(report)).words
    assert "Janus rate" in words and "right relation" not in words and "recall@1" not in words


def test_json_round_trip(report, tmp_path):
    files = write_report(tmp_path, report)
    assert (
        [file.name for file in files]
        == ["report.json", "report.html"]
        == sorted((file.name for file in tmp_path.iterdir()), reverse=True)
    )
    stored = json.loads(files[0].read_text())
    assert stored == json.loads(json.dumps(report.plain()))
    first, second, third = stored["assets"]
    assert (first["category"], first["color"], first["janus"], first["viewpoint"]) == (1, 1, 1, 0.25)
    assert (second["category"], second["color"], second["janus"], second["viewpoint"]) == (1, 0, 0, 1)
    assert third["of_the_world"] is False and third["kind"] is None and third["category"] is None
    assert third["chroma"] == first["chroma"] > 60 and third["clipped"] == 0 and third["seconds"] is None
    assert first["sides"] == ["front"] * 8 and first["seen"][0][0] == "mug"
    assert stored["left_out"] == {"a <cat>": "step 3: the scene has become empty"}


def test_summary_by_kind_and_by_method(report):
    summary = report.plain()["summary"]
    assert list(summary) == ["all", "single object", "object with surroundings", "csd-gs, embedded", "sds-gs, embedded"]
    assert summary["all"]["assets"] == 3 and summary["all"]["category"]["n"] == 2
    assert summary["all"]["janus"]["value"] == 0.5 and summary["single object"]["janus"]["value"] == 1
    assert summary["all"]["seconds"] == {"value": 10.0, "n": 2, "interval": None}
    assert summary["csd-gs, embedded"]["category"] is None and summary["sds-gs, embedded"]["assets"] == 2
    low, high = summary["all"]["janus"]["interval"]
    assert 0 < low < 0.5 < high < 1


def test_ranks_are_of_prompts_that_name_a_picture():
    judge = ConstructedJudge("hamburger")
    features = torch.zeros(len(load_emoji()), 1280)
    features[named("hamburger")] = 1.0  # no feature is negative, so that this row is the most similar
    index = PictureIndex(EfficientNetLite0().eval(), features)
    assert evaluated(judge, "a hamburger", index=index).asset.figures.rank == 1
    assert evaluated(judge, "an owl", index=index).asset.figures.rank == len(load_emoji())
    assert evaluated(judge, "a hamburger").asset.figures.rank is None
    assert evaluated(judge, "a mug", index=index).asset.figures.rank is None
    assert named("The Hamburger.") == named("hamburger") != named("an owl")
    assert named("a hamburger on a wooden table") is None
