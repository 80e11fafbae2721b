"""Envelope encryption: what opens, and everything that must not."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from app.config import Settings, SettingsError
from app.sealing import Box, Keyring, SealError, keyring_of

OLD, NEW = b"o" * 32, b"n" * 32
ALGORITHMS = ("aes-256-gcm", "sm4-gcm")
CASE, OTHER_CASE = b"case-1", b"case-2"


def settings(**more):
    return Settings.from_environment({"MINGJIAN_MODE": "test", **more})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_was_sealed_opens_with_the_same_key_and_names_its_algorithm(algorithm):
    ring = Keyring([OLD], algorithm)
    key, wrapped = ring.new_data_key(CASE)
    box = key.seal("陈小妹".encode(), CASE)
    assert (box.algorithm, wrapped.box.algorithm) == (algorithm, algorithm)
    assert "陈小妹".encode() not in box.ciphertext
    assert ring.unwrap(wrapped, CASE).open(box, CASE).decode() == "陈小妹"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_boxes_of_the_same_text_differ(algorithm):
    key, _ = Keyring([OLD], algorithm).new_data_key(CASE)
    assert key.seal(b"same", CASE) != key.seal(b"same", CASE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_box_or_a_key_of_another_case_does_not_open(algorithm):
    ring = Keyring([OLD], algorithm)
    key, wrapped = ring.new_data_key(CASE)
    box = key.seal(b"content", CASE)
    with pytest.raises(SealError):
        key.open(box, OTHER_CASE)
    with pytest.raises(SealError):
        ring.unwrap(wrapped, OTHER_CASE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_changed_byte_and_no_shortened_box_opens(algorithm):
    key, _ = Keyring([OLD], algorithm).new_data_key(CASE)
    box = key.seal(b"content", CASE)
    for at in range(len(box.ciphertext)):
        changed = bytearray(box.ciphertext)
        changed[at] ^= 1
        with pytest.raises(SealError):
            key.open(replace(box, ciphertext=bytes(changed)), CASE)
    for wrong in (Box(box.algorithm, box.nonce, b""), replace(box, nonce=b""), replace(box, algorithm="rot13")):
        with pytest.raises(SealError):
            key.open(wrong, CASE)


def test_a_box_does_not_open_under_the_name_of_another_algorithm():
    key, wrapped = Keyring([OLD], "sm4-gcm").new_data_key(CASE)
    with pytest.raises(SealError):
        key.open(replace(key.seal(b"content", CASE), algorithm="aes-256-gcm"), CASE)
    with pytest.raises(SealError):
        Keyring([OLD], "sm4-gcm").unwrap(replace(wrapped, box=replace(wrapped.box, algorithm="aes-256-gcm")), CASE)


def test_a_changed_master_key_still_opens_what_the_old_one_sealed_and_seals_with_the_new_one():
    key, wrapped = Keyring([OLD], "aes-256-gcm").new_data_key(CASE)
    box = key.seal(b"content", CASE)
    both = Keyring([NEW, OLD], "sm4-gcm")
    again = both.unwrap(wrapped, CASE)
    assert again.open(box, CASE) == b"content"
    moved = both.wrap(again, CASE)
    assert moved.key_id == both.current_id != wrapped.key_id
    assert Keyring([NEW], "aes-256-gcm").unwrap(moved, CASE).open(box, CASE) == b"content"
    with pytest.raises(SealError, match="not on the keyring"):
        Keyring([NEW], "aes-256-gcm").unwrap(wrapped, CASE)


def test_keys_stand_in_no_representation():
    key, _ = Keyring([OLD], "aes-256-gcm").new_data_key(CASE)
    assert repr(key.secret) not in repr(key)
    encoded = base64.b64encode(OLD).decode()
    shown = repr(settings(MASTER_KEY=encoded))
    assert encoded not in shown
    assert repr(OLD) not in shown


def test_sm4_in_gcm_gives_the_published_vector():
    """RFC 8998, appendix A.1: the cipher of the library is the one of the standard."""
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    work = Cipher(algorithms.SM4(key), modes.GCM(bytes.fromhex("00001234567800000000ABCD"))).encryptor()
    work.authenticate_additional_data(bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2"))
    plain = "AA" * 8 + "BB" * 8 + "CC" * 8 + "DD" * 8 + "EE" * 8 + "FF" * 8 + "EE" * 8 + "AA" * 8
    made = work.update(bytes.fromhex(plain)) + work.finalize()
    assert made.hex().upper() == (
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
    )
    assert work.tag.hex().upper() == "83DE3541E4C2B58177E065A9BF7B62EC"


def test_a_trial_makes_its_master_key_once_and_keeps_it_to_itself(tmp_path):
    trial = settings(VAR_DIR=str(tmp_path / "var"))
    with ThreadPoolExecutor(8) as pool:
        ids = {ring.current_id for ring in pool.map(lambda _: keyring_of(trial), range(8))}
    assert len(ids) == 1
    path = tmp_path / "var" / "master_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["master_key"]
    assert keyring_of(trial).current_id in ids


def test_a_production_never_makes_a_master_key(tmp_path):
    missing = tmp_path / "master_key"
    environ = {
        "DATABASE_URL": "postgresql://mj_web:x@db/mingjian",
        "SECRET_KEY": "s" * 40,
        "MASTER_KEY_FILE": str(missing),
    }
    with pytest.raises(SettingsError, match="MASTER_KEY_FILE can not be read"):
        keyring_of(Settings.from_environment(environ))
    assert not missing.exists()


@pytest.mark.parametrize(
    ("content", "fault"), [("", "is empty"), ("c2hvcnQ=", "has 5 bytes, not 32"), ("not base64!", "is not base64")]
)
def test_a_useless_master_key_is_refused_without_repeating_it(tmp_path, content, fault):
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(SettingsError, match=fault) as caught:
        keyring_of(settings(MASTER_KEY_FILE=str(path)))
    assert not content or content not in str(caught.value)
