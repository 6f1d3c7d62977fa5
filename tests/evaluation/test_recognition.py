"""The recognition metric."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lodestone.data.emoji import EmojiSet, composite, load_emoji
from lodestone.errors import SettingError
from lodestone.evaluation import recognition
from lodestone.evaluation.efficientnet import load_efficientnet
from lodestone.evaluation.recognition import PictureIndex, Recall, cache_folder

SHOWN = ["hamburger", "teapot", "cactus", "penguin"]


def few(count: int = 32) -> EmojiSet:
    """A set of up to 32 pictures that begins with the shown ones: the whole set would take minutes."""
    emoji = load_emoji()
    chosen = [emoji.names.index(name) for name in SHOWN]
    chosen += [i for i in range(15, len(emoji), 60) if i not in chosen]
    chosen = chosen[:count]
    return EmojiSet(
        rgba=emoji.rgba[chosen],
        names=tuple(emoji.names[i] for i in chosen),
        keywords=tuple(emoji.keywords[i] for i in chosen),
        groups=tuple(emoji.groups[i] for i in chosen),
        embeddings=emoji.embeddings[chosen],
    )


@pytest.fixture(scope="module")
def index() -> PictureIndex:
    return PictureIndex.build(few(), load_efficientnet())


def shown() -> torch.Tensor:
    """The shown pictures on white, as views of 64 pixels."""
    return composite(few().rgba[: len(SHOWN)], torch.ones(len(SHOWN), 3))


def test_features_have_unit_length(index: PictureIndex) -> None:
    torch.testing.assert_close(index.features.norm(dim=-1), torch.ones(len(index)))


def test_a_picture_finds_itself(index: PictureIndex) -> None:
    assert [index.rank(view[None], i) for i, view in enumerate(shown())] == [1] * len(SHOWN)


def test_a_noisy_cropped_picture_is_still_found(index: PictureIndex) -> None:
    rng = torch.Generator().manual_seed(0)
    cropped = shown()[:, :, 4:60, 4:60]
    noisy = cropped + 0.03 * torch.randn(cropped.shape, generator=rng)
    ranks = [index.rank(view[None], i) for i, view in enumerate(noisy)]
    assert Recall.from_ranks(ranks).recall_at_1 >= 0.75, ranks
    assert max(ranks) <= 10


def test_scores_are_mean_cosines_up_to_a_shared_factor(index: PictureIndex) -> None:
    views = shown()[:2]
    cosines = recognition.unit_features(index.network, views) @ index.features.T
    ratio = index.scores(views) / cosines.mean(dim=0)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


def test_the_order_of_views_and_their_number_do_not_matter(index: PictureIndex) -> None:
    views = shown()[:2]
    torch.testing.assert_close(index.scores(views), index.scores(views.flip(0).repeat(2, 1, 1, 1)))


def test_rank_is_the_place_among_the_scores(index: PictureIndex) -> None:
    view = shown()[:1].flip(-1)
    order = index.scores(view).argsort(descending=True).tolist()
    assert [index.rank(view, order[place]) for place in (0, 3, 31)] == [1, 4, 32]


def test_ties_count_against_the_target(index: PictureIndex) -> None:
    equal = replace(index, features=index.features[:1].repeat(5, 1))
    assert equal.rank(shown()[:1], 2) == 5


def test_impossible_requests_are_refused(index: PictureIndex) -> None:
    with pytest.raises(SettingError, match="choose a target from 0 to 31"):
        index.rank(shown()[:1], 32)
    with pytest.raises(SettingError, match="not finite"):
        index.rank(torch.full((1, 3, 8, 8), torch.nan), 0)
    with pytest.raises(SettingError, match="empty"):
        index.rank(torch.zeros(0, 3, 8, 8), 0)


def test_the_index_is_computed_once_and_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, built = few(2), []
    monkeypatch.setattr(recognition, "load_emoji", lambda: built.append(1) or pictures)
    first = PictureIndex.load(tmp_path)
    (path,) = tmp_path.iterdir()
    assert torch.equal(PictureIndex.load(tmp_path).features, first.features)
    assert len(built) == 1
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(PictureIndex.load(tmp_path).features, first.features)
    assert len(built) == 2


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recognition, "load_emoji", lambda: few(1))
    (tmp_path / "file").write_text("")
    assert len(PictureIndex.load(tmp_path / "file" / "folder")) == 1
    assert "not kept for the next time" in caplog.text


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lodestone"
    for unusable in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert cache_folder() == Path.home() / ".cache" / "lodestone"


def test_recall() -> None:
    assert Recall.from_ranks([1, 1, 10, 11]) == Recall(recall_at_1=0.5, recall_at_10=0.75, median_rank=5.5)
    assert Recall.from_ranks([3]) == Recall(recall_at_1=0.0, recall_at_10=1.0, median_rank=3.0)
    with pytest.raises(SettingError, match="at least one rank"):
        Recall.from_ranks([])


def test_benchmark_prompts_are_shipped_pictures() -> None:
    file = Path(__file__).parents[2] / "benchmarks" / "prompts_v0.txt"
    names = file.read_text(encoding="utf-8").splitlines()
    assert len(names) == len(set(names)) == 32
    assert set(names) <= set(load_emoji().names)
