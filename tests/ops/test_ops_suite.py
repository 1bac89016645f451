"""The local launcher: one per folder, ports kept, secrets private."""

import json
import stat

import pytest

from ops.local.layout import Layout
from ops.local.suite import SuiteFailed, _alone
from ops.programs import METRICS_OFFSET, PROGRAMS
from ops.secrets import database_passwords, make_keys, write_addresses
from tests.ports import PORTS


def test_a_second_launcher_in_the_same_folder_is_refused(tmp_path):
    with _alone(tmp_path):
        with pytest.raises(SuiteFailed, match="already running"):
            with _alone(tmp_path):
                pass
    with _alone(tmp_path):
        pass


def test_ports_are_chosen_once_and_leave_room_for_metrics(tmp_path):
    ports = Layout(tmp_path, PORTS).ports
    both = set(ports.values()) | {port + METRICS_OFFSET for port in ports.values()}
    assert len(both) == 2 * len(ports)
    assert Layout(tmp_path, PORTS).ports == ports


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path):
    make_keys(tmp_path)
    passwords = database_passwords(tmp_path)
    write_addresses(
        tmp_path, lambda role, service: f"{role}-{service}", dict.fromkeys(PROGRAMS, "amqp")
    )
    made = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in made)
    for name, program in PROGRAMS.items():
        assert {tmp_path / name / secret for secret in program.secrets} <= made.keys()
    make_keys(tmp_path)
    assert database_passwords(tmp_path) == passwords
    assert {path: path.read_text() for path in made} == made
    keys = [text for path, text in made.items() if path.name.endswith(("_key", "kek"))]
    assert len(set(keys)) == len(keys)


def test_every_service_knows_all_identities_and_only_its_own_key(tmp_path):
    make_keys(tmp_path)
    known = [json.loads(p.read_text()) for p in tmp_path.glob("*/identities.json")]
    assert len(known) == 5
    assert all(one == known[0] for one in known)
    assert set(known[0]) == {"auth", "tenants", "sync", "backup", "gateway"}
