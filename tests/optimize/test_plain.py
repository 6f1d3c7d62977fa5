"""Experiments as plain YAML and back."""

from dataclasses import replace

import pytest
import yaml
from small_run import small_experiment

from lodestone.errors import SettingError
from lodestone.optimize.experiment import Plan
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.recipes.choose import Choice, build, recipes


@pytest.mark.parametrize("prior", ["empirical", "embedded", "sd15"])
@pytest.mark.parametrize("name", recipes())
def test_every_recipe_comes_back_from_its_yaml(name, prior):
    experiment = build(Choice(recipe=name, prior=prior), "a hamburger")
    text = yaml.safe_dump(to_plain(experiment), allow_unicode=True)
    assert from_plain(build(Choice(recipe=name, prior=prior), "other"), yaml.safe_load(text)) == experiment


def test_values_come_back_exactly():
    experiment = small_experiment(seed=2**63 - 1)
    odd = replace(experiment, estimator=replace(experiment.estimator, guidance_scale=1e-6 / 3))
    assert from_plain(experiment, yaml.safe_load(yaml.safe_dump(to_plain(odd)))) == odd


@pytest.mark.parametrize("text", ["naïve 漢字 🍔", "two\nlines", "- [x]: {y}", "'\"", "# no", "null", "1e3", "\t"])
def test_any_prompt_comes_back_exactly(text):
    odd = build(Choice(), f"{text} ball")
    assert from_plain(small_like(odd), yaml.safe_load(yaml.safe_dump(to_plain(odd), allow_unicode=True))) == odd


def small_like(experiment):
    return replace(experiment, prompt=replace(experiment.prompt, text="other"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plan": {"steps": "many"}}, r"experiment\.plan\.steps is 'many': it must be of type int"),
        ({"plan": {"steps": True}}, r"experiment\.plan\.steps is True: it must be of type int"),
        ({"plan": {"steps": 2.5}}, r"experiment\.plan\.steps is 2\.5: it must be of type int"),
        ({"plan": {"stepz": 3}}, r"experiment\.plan\.stepz is not a setting here: choose among .*steps"),
        ({"plan": {3: 3, "x": 1}}, r"experiment\.plan\.3 is not a setting here"),
        ({"plan": []}, r"experiment\.plan must be a mapping"),
        ({"scene": {"density": {"every": None}}}, r"experiment\.scene\.density\.every is None"),
        ({"cameras": {"distance": [1.0]}}, r"experiment\.cameras\.distance must have 2 entries, not 1"),
        ({"cameras": {"distance": 1.0}}, r"experiment\.cameras\.distance must be a list"),
        ({"cameras": {"distance": [1.0, "far"]}}, r"experiment\.cameras\.distance is 'far'"),
        ({"plan": {"steps": 0}}, r"plan\.steps is 0: choose a number from 1"),
        ({"seed": -1}, r"seed is -1: choose"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(changes, message):
    with pytest.raises(SettingError, match=message):
        from_plain(small_experiment(), changes)


def test_whole_numbers_pass_as_floats():
    assert from_plain(Plan(), {"gradient_clip": 2}) == Plan(gradient_clip=2.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("views", -3), ("checkpoint_every", 0), ("preview_every", -1), ("gradient_clip", -1.0)],
)
def test_an_impossible_plan_is_refused_by_name(name, value):
    with pytest.raises(SettingError, match=rf"plan\.{name} is {value}"):
        Plan(**{name: value})
