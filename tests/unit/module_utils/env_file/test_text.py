"""The bytes of an env file: our keys change, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.text import edited, lines, remarks, values

BOM = b"\xef\xbb\xbf"
# before → after K=new
SET = {
    "an empty file": (b"", b"K=new\n"),
    "a new key comes to the end": (b"# app\nA=1\n\n# end\n", b"# app\nA=1\n\n# end\nK=new\n"),
    "no final line end": (b"A=1", b"A=1\nK=new\n"),
    "in its place": (b"A=1\nK=old\nB=2\n", b"A=1\nK=new\nB=2\n"),
    "the last line without line end": (b"A=1\nK=old", b"A=1\nK=new"),
    "the last one of several": (b"K=1\nA=1\nK=2\n#K=3\n", b"K=1\nA=1\nK=new\n#K=3\n"),
    "line ends of Windows": (b"A=1\r\nK=old\r\nB=2\r\n", b"A=1\r\nK=new\r\nB=2\r\n"),
    "a new key with line ends of Windows": (b"A=1\r\nB=2", b"A=1\r\nB=2\r\nK=new\r\n"),
    "export stays": (b"export K=old\n", b"export K=new\n"),
    "a comment behind the value goes": (b"K=old # why\n", b"K=new\n"),
    "blanks round the sign go": (b"  K = old\n", b"K=new\n"),
    "a colon becomes a sign": (b"K: old\n", b"K=new\n"),
    "a byte order mark": (BOM + b"K=old\nA=1\n", BOM + b"K=new\nA=1\n"),
    "nothing but a byte order mark": (BOM, BOM + b"K=new\n"),
    "bytes of another encoding": (b"# gr\xfc\xdfe\nA=\xe9\nK=old\n", b"# gr\xfc\xdfe\nA=\xe9\nK=new\n"),
    "a name that only begins alike": (b"KK=1\nK_X=1\nK.X=1\n", b"KK=1\nK_X=1\nK.X=1\nK=new\n"),
    "a comment": (b"# K=old\n", b"# K=old\nK=new\n"),
    "a quoted value of several lines": (b'P="a\nb\\"\nc"\nK=old\n', b'P="a\nb\\"\nc"\nK=new\n'),
    "a quote that nothing closes, of another key": (b"P='tis\nK=old\n", b"P='tis\nK=new\n"),
    "a quote that nothing closes, of this key": (b"K='tis\nA=1\n", b"K=new\nA=1\n"),
    "no value": (b"K=\nA=1\n", b"K=new\nA=1\n"),
    "a name alone is no assignment": (b"K\n", b"K\nK=new\n"),
}
REMOVED = {
    "in the middle": (b"A=1\nK=old\nB=2\n", b"A=1\nB=2\n"),
    "with the line end of Windows": (b"A=1\r\nK=old\r\nB=2\r\n", b"A=1\r\nB=2\r\n"),
    "at the end without line end": (b"A=1\nK=old", b"A=1\n"),
    "not there": (b"A=1\n", b"A=1\n"),
    "the last one of several": (b"K=theirs\nA=1\nK=ours\n", b"K=theirs\nA=1\n"),
}


@pytest.mark.parametrize("before, after", SET.values(), ids=list(SET))
def test_a_key_is_set(before: bytes, after: bytes) -> None:
    assert edited(before, {"K": "new"}, {}) == after
    assert edited(after, {"K": "new"}, {}) == after


@pytest.mark.parametrize("before, after", REMOVED.values(), ids=list(REMOVED))
def test_a_key_is_removed(before: bytes, after: bytes) -> None:
    assert edited(before, {}, {"K": None}) == after


def test_several_keys_change_at_once() -> None:
    before = b"A=1\nGONE=1\nB=long old value\nC=3\n"
    assert edited(before, {"C": "x", "B": "y", "D": "'z z'"}, {"GONE": None}) == b"A=1\nB=y\nC=x\nD='z z'\n"


@pytest.mark.parametrize(
    "content, sentence",
    [
        (
            b'A=1\nK="a\nB=2\nC="x"\n',
            "K cannot be changed: the quote that line 2 opens is closed only in line 4. "
            "Close it in its own line, or remove those lines, and run again.",
        ),
        (
            b"P='a\nK=old\nb'\n",
            "K cannot be changed: the quote that line 1 opens is closed only in line 3. "
            "Close it in its own line, or remove those lines, and run again.",
        ),
        (
            b"K='tis\nK=old\n",
            "K cannot be set: line 1 opens a quote that nothing closes, and readers would take that of K for its end. "
            "Close it in its own line and run again.",
        ),
        (
            b"P='tis\n",
            "K cannot be set: line 1 opens a quote that nothing closes, and readers would take that of K for its end. "
            "Close it in its own line and run again.",
        ),
    ],
)
def test_what_readers_do_not_agree_on_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(EnvFileError) as refused:
        edited(content, {"K": "'n w'"}, {})
    assert str(refused.value) == sentence


OTHERS = [b"A=1", b"# K=c", b"", b"B='x y'", b"\xff=\xfe", b"K", b"C: d", b"export D=1", b'E="a\nb"']
OURS = [b"K=old", b"export K=x", b" K = y ", b"K='a b' # c"]


@given(st.lists(st.sampled_from(OTHERS)), st.sampled_from(OURS), st.lists(st.sampled_from(OTHERS)), st.booleans())
def test_every_other_byte_stays(above: list[bytes], ours: bytes, below: list[bytes], ended: bool) -> None:
    first, rest = b"".join(line + b"\n" for line in above), b"\n".join([b"", *below]) + b"\n" * ended
    line = b"export K=new" if ours.startswith(b"export") else b"K=new"
    assert edited(first + ours + rest, {"K": "new"}, {}) == first + line + rest
    assert edited(first + ours + rest, {}, {"K": None}) == first + rest[1:]


PIECES = [b"K", b"L", b"A", b"=", b":", b" ", b"'", b'"', b"\\", b"\r\n", b"\n", b"#", b"export ", b"old", b"\xff", BOM]
PIECES += [b"K=old", b"\nK=", b"\nL=x # mine\n", "\nL='값'\r\n".encode()]


@given(st.lists(st.sampled_from(PIECES)).map(b"".join), st.sampled_from(["new", "'n w'", '"it\'s"']))
def test_a_key_that_was_there_is_as_before_when_it_goes(before: bytes, spelled: str) -> None:
    there = lines(before, "surrogateescape")
    wanted = {key: spelled for key in ("K", "L") if key in there or before.endswith(b"\n") or before in (b"", BOM)}
    assume(wanted)
    try:
        during = edited(before, wanted, {})
    except EnvFileError:
        assume(False)
    assert edited(during, {}, {key: there.get(key) for key in wanted}) == before


def test_what_some_readers_take_otherwise_is_said_of_our_keys_only() -> None:
    content = BOM + b"K=1\nexport A=1\nA=2\nA=3\nexport L=1\nK=2\n"
    assert remarks(content, ["K", "L"]) == [
        "K stands in the lines 1, 6. The last one counts and is the one managed here; remove the others.",
        "Line 5 has `export` in front of L, which `docker run --env-file` refuses and python-decouple takes for a part "
        "of the name. It stays; remove it if one of them reads this file.",
        "The file begins with a byte order mark, so Node.js, python-decouple and django-environ do not find K in its "
        "first line. Save the file as UTF-8 without it.",
    ]


def test_values_are_what_must_not_be_seen() -> None:
    assert values(b"# no\nA=one\nB = 'two three'\nC: \"x=y\"\n") == ["one", "two three", "x=y"]
