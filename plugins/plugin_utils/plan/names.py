# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the DNS sends the names of the pages to the server: Let's Encrypt asks there before it gives a certificate.

Wrong names are found before anything starts, as Let's Encrypt takes only a few attempts an hour for each name.
https://letsencrypt.org/docs/rate-limits/
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor


def addresses(names: Sequence[str]) -> dict[str, list[str]]:
    """{name: its addresses, of both kinds}, as this machine finds them; none for a name that the DNS does not have."""
    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        return dict(zip(names, pool.map(_addresses, names), strict=True))


def _addresses(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(address[0]) for *_, address in found})


def name_refusals(domain: str, found: Mapping[str, Sequence[str]], server: str, own: Sequence[str]) -> Iterator[str]:
    """One sentence for the names without an address, and one for those that lead elsewhere.

    `found` is {name: addresses}; `own` are the addresses at which `server` is reached. Where none of these is public,
    as behind a jump host, nobody here can tell where the names should lead.
    """
    public = [address for address in own if ipaddress.ip_address(address).is_global]
    missing = [name for name, there in found.items() if not there]
    if missing:
        where = " and ".join(public) or f"the public address of {server}"
        yield (
            f"crowsnest_domain: the DNS has no address for {', '.join(missing)}, so Let's Encrypt gives no "
            f"certificate. Make two records, {domain} and *.{domain}, that lead to {where}. New records may take an "
            "hour to be seen."
        )
    strange = {name: [each for each in there if each not in own] for name, there in found.items()} if public else {}
    elsewhere = [f"{name} to {', '.join(there)}" for name, there in strange.items() if there]
    if elsewhere:
        yield (
            f"crowsnest_domain: the DNS sends {'; '.join(elsewhere)}, but {server} is {', '.join(public)}, so Let's "
            "Encrypt gives no certificate. Correct these records, and remove an AAAA record that does not lead to "
            f"{server}. Where a service such as Cloudflare stands in front: crowsnest_certificates: internal."
        )
