"""Captions as people write prompts: the name of a picture, sometimes dressed in articles, keywords and phrases."""

from random import Random

__all__ = ["vary", "with_article"]

PHRASES = ("{}", "{}", "a photo of {}", "a DSLR photo of {}", "a 3D render of {}", "{}, 3D asset", "a picture of {}")


def with_article(name: str) -> str:
    """`a hamburger`, `an apple`; names of more than three words stand as they are."""
    if len(name.split()) > 3 or name.split(maxsplit=1)[0] in {"a", "an", "the"}:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def vary(name: str, keywords: tuple[str, ...], draw: Random) -> str:
    """One of the ways to ask for the picture; the plain name half of the time."""
    subject = name if draw.random() < 0.5 else with_article(name)
    if keywords and draw.random() < 0.25:
        subject = f"{subject}, {draw.choice(keywords)}"
    return draw.choice(PHRASES).format(subject)
