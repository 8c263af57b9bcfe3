"""Where the tag goes in a template, when it is refused, and that nothing is left of it afterwards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import BEGIN, END, Tag
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import (
    TemplateError,
    with_tag,
    without_tag,
)

TAG = Tag("G-ABCDE12345", "denied", "")
GTAG = '<script async src="https://www.googletagmanager.com/gtag/js?id=G-OLD1234567"></script>'

BLOCK = """\
<!-- BEGIN Google tag (crowsnest) -->
<script nonce="{{ request.csp_nonce }}">
  window.dataLayer = window.dataLayer || [];
  function gtag() {
    dataLayer.push(arguments);
  }
  gtag("consent", "default", {
    ad_storage: "denied",
    ad_user_data: "denied",
    ad_personalization: "denied",
    analytics_storage: "denied",
    wait_for_update: 500,
  });
  gtag("js", new Date());
  gtag("config", "G-ABCDE12345");
</script>
<script async nonce="{{ request.csp_nonce }}" src="https://www.googletagmanager.com/gtag/js?id=G-ABCDE12345"></script>
<!-- END Google tag (crowsnest) -->
"""


def test_the_block_stands_before_the_end_of_the_head_with_its_line_ends_and_indentation() -> None:
    tag = TAG._replace(nonce="request.csp_nonce")
    plain = with_tag(b"<html>\n<head>\n</head>\n", tag).decode()
    assert plain == f"<html>\n<head>\n{BLOCK}</head>\n"
    windows = with_tag(b"<html>\r\n  <head>\r\n  </head>\r\n", tag).decode()
    indented = "".join(f"  {line}\r\n" for line in BLOCK.splitlines())
    assert windows == f"<html>\r\n  <head>\r\n{indented}  </head>\r\n"


@pytest.mark.parametrize(
    ("nonce", "attribute"),
    {
        "csp_nonce()": 'nonce="{{ csp_nonce() }}"',
        "<%= nonce %>": 'nonce="<%= nonce %>"',
        "": "",
    }.items(),
)
def test_both_scripts_have_the_nonce_as_its_engine_writes_it(nonce: str, attribute: str) -> None:
    text = with_tag(b"<head></head>", TAG._replace(nonce=nonce)).decode()
    assert text.count("nonce=") == (2 if attribute else 0)
    assert text.count(attribute) >= 2


def test_granted_consent_waits_for_nobody() -> None:
    text = with_tag(b"<head></head>", TAG._replace(consent="granted")).decode()
    assert (text.count('"granted"'), "denied" in text, "wait_for_update" in text) == (4, False, False)


# Templates in which `@@` marks the only place where the tag belongs.
PLACES = {
    "small page": "<head><title>Shop</title>@@</head><body></body>",
    "capitals": "<HEAD>\n@@</HEAD>\n<BODY>",
    "blanks in the tag": "<head>@@</head\n >",
    "comment": "<head><!-- </head> -->\n@@</head>",
    "conditional comment": "<head><!--[if IE]></head><![endif]-->\n@@</head>",
    "Django comment": "{% comment 'old' %}</head>{% endcomment %}<head>{# </head> #}@@</head>",
    "Jinja comment of lines": "<head>{#\n</head>\n#}\n@@</head>",
    "Handlebars comment": "<head>{{!--\n</head>\n--}}@@</head>",
    "EJS": "<head><%# </head> %><%- head('</head>') %>@@</head>",
    "value": "<head>{{ '</head>' }}{% if '</head>' in it %}{% endif %}@@</head>",
    "script": '<head><script>document.write("</head>")</script>@@</head>',
    "style": '<head><style>a::after{content:"</head>"}</style>@@</head>',
    "attribute": "<head><meta content='</head>'><meta content=\"a > </head>\">@@</head>",
    "condition in a tag": '<head {% if a > b %}class="x"{% endif %}>@@</head>',
    "script after the head": "<head>@@</head><body><script>'</head>'</script></body>",
    "braces of scripts": "<head><script>if(a){{b()}}</script><style>@media print{#a{b:c}}</style>@@</head>",
    "header is no head": "<head>@@</head><header></header>",
    "Korean": "<head><title>가게</title>\n\t@@</head>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
@pytest.mark.parametrize("name", PLACES)
def test_the_tag_goes_to_the_one_real_end_of_the_head(name: str, encoding: str) -> None:
    first, last = (part.encode(encoding) for part in PLACES[name].split("@@"))
    tagged = with_tag(first + last, TAG)
    assert tagged.startswith(first + BEGIN.encode())
    assert tagged.endswith(last)
    assert without_tag(tagged) == first + last


# (template, the words of its refusal)
REFUSED = {
    "no head": ("<body></body>", "has no </head>"),
    "only in a comment": ("<!-- </head> -->", "has no </head>"),
    "child of another": ('{% extends "base.html" %}', 'has no </head>, .* which is probably in "base.html"'),
    "two": ("{% if a %}\n</head>\n{% else %}\n</head>{% endif %}", r"has 2 </head> \(lines 2, 4\)"),
    "gtag": (f"<head>\n{GTAG}</head>", r"has a Google tag .* of its own \(line 2\)"),
    "gtag with a variable": (f"<head>{GTAG.replace('G-OLD1234567', '{{ GA_ID }}')}</head>", "has a Google tag"),
    "call of gtag": ("<head><script>gtag( 'config' , ID)</script></head>", "has a Google tag"),
    "Tag Manager": ("<head><script>j.src='https://www.googletagmanager.com/gtm.js?id='+i</script></head>", "has a Goo"),
    "its frame": (
        '<head></head><noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-ABCD12"></iframe></noscript>',
        "has a Google tag",
    ),
    "UTF-16": ("<head></head>".encode("utf-16").decode("latin-1"), "NUL bytes"),
    "block without its end": (f"<head>{BEGIN}</head>", "managed block that is damaged"),
    "block without its beginning": (f"<head>{END}</head>", "managed block that is damaged"),
    "block upside down": (f"<head>{END}{BEGIN}</head>", "managed block that is damaged"),
    "two blocks": (f"<head>{BEGIN}{END}{BEGIN}{END}</head>", "managed block that is damaged"),
    "block in a comment": (f"<head>{{# {BEGIN}{END} #}}</head>", "managed block that is damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_one_place_or_a_tag_already_is_refused(name: str) -> None:
    text, words = REFUSED[name]
    with pytest.raises(TemplateError, match=words):
        with_tag(text.encode("latin-1"), TAG)


HARMLESS = {
    "in a comment": f"<!-- {GTAG} -->",
    "in a Django comment": f"{{# {GTAG} #}}",
    "preconnect": '<link rel="preconnect" href="https://www.googletagmanager.com">',
    "policy": "<meta http-equiv='Content-Security-Policy' content='script-src https://*.googletagmanager.com'>",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_reports_nothing_is_no_other_tag(name: str) -> None:
    assert BEGIN.encode() in with_tag(f"<head>{HARMLESS[name]}</head>".encode(), TAG)


def test_a_byte_order_mark_stays_at_the_beginning() -> None:
    assert with_tag(b"\xef\xbb\xbf<head></head>", TAG).startswith(b"\xef\xbb\xbf<head><!-- BEGIN")


def test_a_second_run_changes_nothing_and_other_values_change_only_the_block() -> None:
    template = b"<html>\r\n<head>\r\n\t</head>\r\n<body>\r\n"
    tagged = with_tag(template, TAG)
    assert with_tag(tagged, TAG) == tagged
    other = TAG._replace(measurement_id="G-OTHER12345", consent="granted", nonce="csp_nonce")
    assert with_tag(tagged, other) == with_tag(template, other)
    assert without_tag(with_tag(tagged, other)) == template


def test_a_block_that_was_edited_is_put_right_and_one_that_was_formatted_stays() -> None:
    tagged = with_tag(b"<head>\n</head>\n", TAG)
    edited = tagged.replace(b'"denied"', b'"granted"')
    assert with_tag(edited, TAG) == tagged
    formatted = tagged.replace(b"  gtag(", b"\tgtag(").replace(b"<script async ", b"<script\n  async\n  ")
    assert formatted != tagged
    assert with_tag(formatted, TAG) == formatted


def test_a_block_that_was_moved_stays_where_it_is() -> None:
    block = with_tag(b"<head>\n</head>", TAG).removeprefix(b"<head>\n").removesuffix(b"</head>")
    moved = b"<head>\n" + block + b"<title>Shop</title>\n</head>"
    other = TAG._replace(measurement_id="G-OTHER12345")
    assert with_tag(moved, other) == moved.replace(b"G-ABCDE12345", b"G-OTHER12345")
    assert without_tag(moved) == b"<head>\n<title>Shop</title>\n</head>"


def test_without_a_block_nothing_is_removed() -> None:
    for template in (b"", b"<head></head>", f"<head>{GTAG}</head>".encode(), b"</head></head>"):
        assert without_tag(template) == template


PIECES = [
    "<head>",
    "<title>가</title>",
    "\n",
    "\r\n",
    "  ",
    "\t",
    " ",
    "<p>",
    "{{ x }}",
    "<!-- c -->",
    "{% if a %}",
    "é",
]
piece = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@given(piece, piece, st.sampled_from(["denied", "granted"]), st.sampled_from(["", "csp_nonce", "<%= nonce %>"]))
def test_removal_restores_every_byte(before: str, after: str, consent: str, nonce: str) -> None:
    template = f"{before}</head>{after}".encode()
    tagged = with_tag(template, Tag("G-ABCDE12345", consent, nonce))
    assert tagged != template
    assert without_tag(tagged) == template
    assert with_tag(tagged, Tag("G-ABCDE12345", consent, nonce)) == tagged
