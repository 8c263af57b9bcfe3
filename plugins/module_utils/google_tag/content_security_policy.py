# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a content security policy lacks for the Google tag. Pure. Python 3.9.

https://developers.google.com/tag-platform/security/guides/csp and https://www.w3.org/TR/CSP3/
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.page import Script

# Visits are also reported to hosts of a region, such as region1.google-analytics.com: all subdomains are needed.
REPORTING = {
    "connect-src": ("google-analytics.com", "analytics.google.com", "googletagmanager.com"),
    "img-src": ("google-analytics.com", "googletagmanager.com"),
}


def missing_sources(policy: str, scripts: Collection[Script]) -> list[str]:
    """What must be added so that these scripts run and report: `https://*.google-analytics.com to img-src`."""
    missing = []
    for script in scripts:
        directive, sources = _directive(policy, "script-src-elem", "script-src", "default-src")
        if sources is not None and not _runs(script, sources):
            missing.append(f"{_source_of(script, sources)} to {directive}")
    for name, domains in REPORTING.items():
        directive, sources = _directive(policy, name, "default-src")
        if sources is not None:
            missing += [f"https://*.{domain} to {name}" for domain in domains if not _allows(sources, f"*.{domain}")]
    return missing


def _directive(policy: str, *names: str) -> tuple[str, list[str] | None]:
    """The first of these directives that the policy has, with its sources; None if it has none of them."""
    words = [part.split() for part in policy.split(";")]
    found = {directive[0].lower(): directive[1:] for directive in reversed(words) if directive}  # the first one counts
    name = next((name for name in names if name in found), names[-1])
    return name, found.get(name)


def _runs(script: Script, sources: Collection[str]) -> bool:
    """Whether the policy lets it run. With a nonce or a hash, `'unsafe-inline'` means nothing."""
    if script.nonce and f"'nonce-{script.nonce}'" in sources:
        return True
    if script.source:
        return "'strict-dynamic'" not in sources and _allows(sources, "www.googletagmanager.com")
    strict = any(re.match(r"'(nonce-|sha\d+-|strict-dynamic)", source) for source in sources)
    return f"'{digest(script)}'" in sources or ("'unsafe-inline'" in sources and not strict)


def _source_of(script: Script, sources: Collection[str]) -> str:
    """What lets it run; a script with an address needs a nonce where hosts mean nothing."""
    if script.nonce:
        return f"'nonce-{script.nonce}' (as in the page, new for each answer)"
    if script.source and "'strict-dynamic'" in sources:
        return "'nonce-…' (new for each answer; and set `analytics.nonce`)"
    return "https://*.googletagmanager.com" if script.source else f"'{digest(script)}'"


def digest(script: Script) -> str:
    """The hash by which a policy can name a script that stands in the page; browsers take line ends as LF."""
    text = script.text.replace("\r\n", "\n").encode()
    return f"sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}"


def _allows(sources: Collection[str], host: str) -> bool:
    """Whether one of the sources covers this host, or all its subdomains if it begins with `*.`."""
    for source in sources:
        pattern = re.sub(r"^https?://|[:/].*$", "", source.lower())
        if pattern in ("*", "https", host) or (pattern.startswith("*.") and host.endswith(pattern[1:])):
            return True
    return False
