# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from lab import ports
from lab.progress import LabError


def test_known_labs_have_their_offset_and_others_must_give_one() -> None:
    assert [ports.offset_of(name, None) for name in ("demo", "default", "fleet")] == [10000, 20000, 30000]
    assert ports.offset_of("demo", 41000) == 41000
    with pytest.raises(LabError, match="needs --offset"):
        ports.offset_of("dev", None)


@pytest.mark.parametrize("offset", [0, 9000, 10500, 57000])
def test_an_offset_without_room_for_all_ports_is_refused(offset: int) -> None:
    with pytest.raises(LabError, match="multiple of 1000"):
        ports.offset_of("dev", offset)


def test_the_server_publishes_ssh_and_pages_and_further_hosts_only_ssh() -> None:
    server = ports.host_ports(10000, 0)
    assert (server["ssh"], server["prometheus"], server["shop"]) == (10022, 19090, 18000)
    assert ports.host_ports(10000, 2) == {"ssh": 10024}


def test_no_port_is_given_twice_in_a_full_lab_at_any_offset() -> None:
    for offset in (10000, 56000):
        taken = [port for index in range(ports.MAX_HOSTS) for port in ports.host_ports(offset, index).values()]
        assert len(set(taken)) == len(taken)
        assert max(taken) < 65536


def test_labs_of_different_offsets_have_different_networks() -> None:
    assert ports.host_address(10000, 0) == "10.213.10.10"
    assert ports.network_prefix(20000) != ports.network_prefix(21000)
