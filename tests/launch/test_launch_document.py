"""YAML with lines, overrides and references; what is broken is one sentence."""

from itertools import pairwise

import pytest

from lodestone.errors import SettingError
from lodestone.launch.document import find_config, packaged, read_document
from lodestone.launch.interpolation import resolve


def values(document):
    return {key: resolve(document, entry).value for key, entry in document.entries.items()}


def test_keys_are_dotted_and_know_their_lines(config):
    document = read_document(config("a: 1\nb:\n  # nothing\n  c: [1, 2.5]\n  d.e:\n    f: text\n"))
    assert values(document) == {"a": 1, "b.c": [1, 2.5], "b.d.e.f": "text"}
    assert [entry.place for entry in document.entries.values()] == [f"line {n} of one.yaml" for n in (1, 4, 6)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("1.e-15", 1e-15),
        (".5", 0.5),
        ("-2", -2),
        ("1_000", 1000),
        ("true", True),
        ("null", None),
        ("~", None),
        ("???", "???"),
        ("2026-01-02", "2026-01-02"),
        ("16-mixed", "16-mixed"),
        ("'1'", "1"),
        ("1.2.3", "1.2.3"),
        ("[64, [1e2, x]]", [64, [100.0, "x"]]),
    ],
)
def test_scalars_are_read_as_omegaconf_reads_them(config, text, value):
    (found,) = values(read_document(config(f"key: {text}\n"))).values()
    assert found == value and type(found) is type(value)
    (found,) = values(read_document(config("key: other\n"), [f"key={text}"])).values()
    assert found == value and type(found) is type(value)


def test_anchors_and_merges(config):
    document = read_document(config("one: &one {a: 1, b: 2}\ntwo:\n  <<: *one\n  b: 3\n"))
    assert values(document) == {"one.a": 1, "one.b": 2, "two.a": 1, "two.b": 3}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "one.yaml is empty: write settings into it"),
        ("# nothing\n", "one.yaml is empty"),
        ("- a\n- b\n", "one.yaml holds no mapping of settings"),
        ("text", "one.yaml holds no mapping of settings"),
        ("a: 1\nb: [1, 2\nc: 3\n", "one.yaml cannot be read as YAML (expected ',' or ']', but got ':', line 3)"),
        ("a: 1\n b: 2\n", "line 2"),
        ("a: \tx: y", "one.yaml cannot be read as YAML"),
        ("a: *b\n", "found undefined alias"),
        ("a: 1\n---\nb: 2\n", "found another document, line 2"),
        ("a: 1\nb: 2\na: 3\n", "a stands in lines 1 and 3 of one.yaml: remove one"),
        ("? [a, b]\n: 1\n", "a key in line 1 of one.yaml is no text"),
        ("a: !!python/object:os.system {}\nb: !!python/name:os.system x", "could not determine a constructor"),
        ("a: !!binary aGk=\n", "line 1 of one.yaml has the tag tag:yaml.org,2002:binary: write plain values"),
        ("a: &a\n  b: *a\n", "one.yaml nests too deeply, or contains itself"),
        ("a: &a [*a]\n", "one.yaml nests too deeply, or contains itself"),
        ("a: " + 2_000 * "[" + 2_000 * "]", "one.yaml nests too deeply"),
        (b"a: \xff\xfe\n", "is no UTF-8 text (byte 3): save it as UTF-8"),
        ("a: 1\n".encode("utf-16"), "is no UTF-8 text (byte 0)"),
        ("a: \x00\n", "one.yaml cannot be read as YAML"),
        (b"x" * 1_000_001, "is larger than 1000000 bytes, which no configuration is"),
        ("".join(f"k{n}: 1\n" for n in range(10_001)), "one.yaml holds more than 10000 values"),
        (
            "a: &a [1,1,1,1,1,1,1,1]\n" + "".join(f"{b}: &{b} [{8 * f'*{a},'}]\n" for a, b in pairwise("abcdefgh")),
            "one.yaml holds more than 10000 values",
        ),
    ],
)
def test_what_is_broken_is_one_sentence(config, content, sentence):
    with pytest.raises(SettingError) as caught:
        read_document(config(content))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_mark_of_byte_order_is_no_text(config):
    assert values(read_document(config(b"\xef\xbb\xbfa: 1\n"))) == {"a": 1}


def test_files_are_found_here_first_and_in_the_package_then(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert {"lods-gs-embedding.yaml", "dreamfusion-sd.yaml", "magic3d-refine-sd.yaml"} <= set(packaged())
    inside = find_config("lods-gs-embedding.yaml")
    assert inside == find_config("configs/lods-gs-embedding.yaml") and inside.parent != tmp_path
    (tmp_path / "lods-gs-embedding.yaml").write_text("a: 1")
    assert find_config("lods-gs-embedding.yaml").resolve().parent == tmp_path.resolve()
    with pytest.raises(SettingError, match=r"there is no file x\.yaml: name a YAML file, or one of the package: dream"):
        find_config("x.yaml")
    with pytest.raises(SettingError, match="is a folder: name a YAML file in it"):
        find_config(str(tmp_path))


def test_overrides_lie_on_top(config):
    path = config("a: {b: 1, c: 2}\nd: {e: {f: 1}}\n")
    document = read_document(path, ["a.b=[64,512]", "new.key=x", "d.e=null", "text=a: b #1 [c]", "empty="])
    expected = {"a.b": [64, 512], "a.c": 2, "new.key": "x", "d.e": None, "text": "a: b #1 [c]", "empty": ""}
    assert values(document) == expected
    assert document.entries["a.b"].where == "a.b (the command line)" and document.entries["a.b"].override
    assert not document.entries["a.c"].override


@pytest.mark.parametrize("text", ["yes", "1984", "a #1 dog", "a: b", "'a' or not", "- x", "null and void", "{", "%x"])
def test_words_of_a_text_stay_as_they_are(config, text):
    assert read_document(config("a: 1\n"), [f"prompt={text}"]).entries["prompt"].text == text


def test_quotes_inside_a_word_are_quotes_of_yaml(config):
    assert read_document(config("a: 1\n"), ['prompt="a dog"']).entries["prompt"].text == "a dog"


@pytest.mark.parametrize("word", ["prompt", "=x", "a..b=1", ".a=1", "a b=1", "--x=1", ""])
def test_a_word_of_another_form_is_refused(config, word):
    with pytest.raises(SettingError, match=r"is no key=value: write for example trainer\.max_steps=1000"):
        read_document(config("a: 1\n"), [word])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${n}", 512),
        ("x${n}y${n}", "x512y512"),
        ("${g.list}", [0, 10.0, 1000.0, 5000]),
        ("${ref}", 512),
        ("[1, '${n}']", [1, 512]),
        ("${div:${n},2}", 256.0),
        ("${idiv:${n},3}", 170),
        ("${add:${n},1}", 513),
        ("${sub:${n},${add:1,1}}", 510),
        ("${mul:${n},0.5}", 256.0),
        ("${gt0:${n}}", True),
        ("${gt0:${g.zero}}", False),
        ("${not:${gt0:${n}}}", False),
        ("${cmaxgt0:${g.list}}", True),
        ("${cmaxgt0:[0, 0.0, 0.0, 5]}", False),
        ("${cmaxgt0:[0, 0.0, 0.0, 5, 1.0, 6]}", True),
        ("${cmaxgt0:[0.0, 1.0, 5]}", True),
        ("${cmaxgt0orcmaxgt0:${g.zero},${g.list}}", True),
        ("${rmspace:${words},_}", "a_big_dog"),
        ("${rmspace:${words},-}.png", "a-big-dog.png"),
        ("${basename:load/shapes/human.obj}", "human.obj"),
        ("${tuple2:${n}}", [512, 512]),
        ("${calc_exp_lr_decay_rate:0.1,${sub:${n},511}}", 0.1),
        ("no $ reference {}", "no $ reference {}"),
    ],
)
def test_references_mean_values(config, text, value):
    more = "n: 512\nref: ${n}\nwords: a big dog\ng:\n  list: [0, 10., 1000., 5000]\n  zero: 0.\n"
    written = text if text.startswith("[") else f'"{text}"'
    document = read_document(config(f"key: {written}\n{more}"))
    found = resolve(document, document.entries["key"]).value
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("${absent}", "key (line 1 of one.yaml) refers to absent, which is not there"),
        ("${key}", "refers to itself by ${key}"),
        ("${b}", "refers to itself by ${b}"),
        ("${b", "has a ${ without its }"),
        ("${magic:1}", "asks for the function 'magic': choose among add, sub"),
        ("${oc.env:HOME}", "asks for the function 'oc.env'"),
        ("${add:1}", "gives add 1 values: it takes 2"),
        ("${div:1,0}", "div cannot work with [1, 0]"),
        ("${mul:x,1000000000}", "mul cannot work with"),
        ("${gt0:x}", "gt0 cannot work with"),
        ("${need}", "need (line 4 of one.yaml) is ??? and key needs it: give it after the options, need=..."),
        ("${d9}", "refers to too many other keys"),
    ],
)
def test_references_that_lead_nowhere(config, text, sentence):
    chain = "".join(f"d{n}: ${{d{n - 1}}}${{d{n - 1}}}${{d{n - 1}}}\n" for n in range(1, 10))
    document = read_document(config(f'key: "{text}"\nb: ${{c}}\nc: ${{b}}\nneed: ???\nd0: ""\n{chain}'))
    with pytest.raises(SettingError) as caught:
        resolve(document, document.entries["key"])
    assert sentence in str(caught.value)
