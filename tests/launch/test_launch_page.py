"""The tables of docs/coming_from_threestudio.md are those of the code.

`python tests/launch/test_launch_page.py` writes them again.
"""

from pathlib import Path

from lodestone.launch.mapping import GROUPS
from lodestone.launch.rules import Nothing, Only, Sets
from lodestone.launch.systems import GUIDANCES, STAGES, SYSTEMS

PAGE = Path(__file__).parents[2] / "docs" / "coming_from_threestudio.md"
BEGIN, END = "<!-- tables: tests/launch/test_launch_page.py writes them -->", "<!-- end of the tables -->"


def shown(value):
    """As YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else value


def said(reader):
    """The first line of a reader's docstring as part of a sentence."""
    line = reader.__doc__.strip().splitlines()[0].rstrip(".")
    return line[0].lower() + line[1:]


def row(rule):
    """A rule as a row."""
    if isinstance(rule, Sets):
        fields = ", ".join(f"`{field}`" for field in rule.fields) or "read beside others"
        return f"| `{rule.key}` | {fields} | {said(rule.read)} |"
    agreed = ", ".join(f"`{shown(value)}`" for value in rule.values)
    otherwise = "refused" if rule.refuse else "said"
    begin = f"{agreed}; anything else is {otherwise}" if agreed else "said"
    key = f"{rule.key}*" if rule.key.endswith(".") else rule.key
    return f"| `{key}` | | {begin}: {rule.remark} |"


def systems():
    """Which recipe a system is, and what its guidance scale means."""
    yield from ("| `system_type` | stage | guidance unless given | recipe |", "|---|---|---|---|")
    for system in SYSTEMS:
        yield f"| `{system.name}` | {system.stage} | `{system.guidance}` | `{system.recipe}` |"
    keys = ", ".join(f"`{key}` of `{name}` ({true} if true)" for name, (key, _, true) in STAGES.items())
    yield from ("", f"The stage is {keys}, and `system.stage` of the others.")
    yield from ("", "| `system.guidance_type` | estimator | `guidance_scale` |", "|---|---|---|")
    for guidance in GUIDANCES:
        scale = "s - 1" if guidance.prompt_first else "s"
        yield f"| `{guidance.name}` | `{guidance.estimator}` | {scale} |"


def keys():
    """Every key by its group."""
    for group, rules in GROUPS.items():
        yield from ("", f"### {group}", "", "| threestudio | here | its value |", "|---|---|---|")
        yield from (row(rule) for rule in rules if isinstance(rule, Sets | Only))
        idle = [
            f"`{rule.key}*`" if rule.key.endswith(".") else f"`{rule.key}`"
            for rule in rules
            if isinstance(rule, Nothing)
        ]
        if idle:
            yield from ("", f"No effect here: {', '.join(idle)}.")


def tables():
    """All of them."""
    return "\n".join([BEGIN, "", *systems(), *keys(), "", END])


def test_the_page_has_the_tables_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    assert page[page.index(BEGIN) : page.index(END) + len(END)] == tables(), f"run `python {Path(__file__).name}`"


def test_every_key_of_a_packaged_configuration_is_on_the_page():
    from lodestone.launch.document import find_config, packaged, read_document

    page = PAGE.read_text(encoding="utf-8")
    for name in packaged():
        assert f"`{name}`" in page
        for key in read_document(find_config(name)).entries:
            groups = [key, *(f"{key.rsplit('.', depth)[0]}.*" for depth in range(1, key.count(".") + 1))]
            assert any(f"`{one}`" in page for one in groups), key


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(BEGIN)] + tables() + text[text.index(END) + len(END) :], encoding="utf-8")
