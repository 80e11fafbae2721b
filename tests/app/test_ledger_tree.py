"""The tree against the published vectors of Certificate Transparency, and against a naive reading of RFC 9162."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ledger import tree

# The vectors published with the Certificate Transparency reference implementation, for RFC 6962 and RFC 9162 alike.
ENTRIES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# leaf (counted from 1), size, path
INCLUSION = [
    (1, 1, []),
    (1, 8, [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]),
    (6, 8, [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (2, 5, [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]),
]  # fmt: skip
CONSISTENCY = [
    (1, 1, []),
    (1, 8, [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]),
    (6, 8, [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
    (2, 5, [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]),
]  # fmt: skip


def naive_root(entries):
    """MTH exactly as RFC 9162 2.1.1 writes it."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\1" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(m, entries):
    """PATH(m, D_n) as RFC 9162 2.1.3.1 writes it."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m < k:
        return [*naive_path(m, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(m - k, entries[k:]), naive_root(entries[:k])]


def naive_subproof(m, entries, whole):
    """SUBPROOF(m, D_n, b) as RFC 9162 2.1.4.1 writes it."""
    if m == len(entries):
        return [] if whole else [naive_root(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, entries[:k], whole), naive_root(entries[k:])]
    return [*naive_subproof(m - k, entries[k:], False), naive_root(entries[:k])]


def stored(entries, cuts=()):
    """The perfect subtrees of a log that grew in several steps, and the root at each size."""
    nodes, frontier, size = {}, [], 0
    for cut in [*sorted(cuts), len(entries)]:
        finished, frontier = tree.extend(size, frontier, entries[size:cut])
        nodes.update(finished)
        size = max(size, cut)
        assert frontier == [nodes[place] for place in tree.cover(0, size)]
    return nodes


def root(nodes, size):
    return tree.fold([nodes[place] for place in tree.cover(0, size)])


def test_the_empty_log_has_the_published_root():
    assert tree.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.fold([]) == tree.EMPTY_ROOT


def test_the_published_roots_come_out():
    nodes = stored(ENTRIES)
    assert [root(nodes, size).hex() for size in range(1, 9)] == ROOTS


@pytest.mark.parametrize(("leaf", "size", "path"), INCLUSION)
def test_the_published_inclusion_proofs_come_out_and_hold(leaf, size, path):
    made = tree.proof(tree.inclusion_ranges(leaf - 1, size), stored(ENTRIES).__getitem__)
    assert [one.hex() for one in made] == path
    assert tree.includes(tree.leaf_hash(ENTRIES[leaf - 1]), leaf - 1, size, made, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("first", "second", "path"), CONSISTENCY)
def test_the_published_consistency_proofs_come_out_and_hold(first, second, path):
    made = tree.proof(tree.consistency_ranges(first, second), stored(ENTRIES).__getitem__)
    assert [one.hex() for one in made] == path
    assert tree.extends(first, second, made, *(bytes.fromhex(ROOTS[size - 1]) for size in (first, second)))


LOGS = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


@settings(max_examples=60, deadline=None)
@given(LOGS, st.data())
def test_every_root_and_proof_is_that_of_the_naive_reading(entries, data):
    size = len(entries)
    nodes = stored(entries, data.draw(st.lists(st.integers(0, size), max_size=4)))
    assert root(nodes, size) == naive_root(entries)
    index = data.draw(st.integers(0, size - 1))
    path = tree.proof(tree.inclusion_ranges(index, size), nodes.__getitem__)
    assert path == naive_path(index, entries)
    assert tree.includes(tree.leaf_hash(entries[index]), index, size, path, naive_root(entries))
    first = data.draw(st.integers(1, size))
    path = tree.proof(tree.consistency_ranges(first, size), nodes.__getitem__)
    assert path == naive_subproof(first, entries, True)
    assert tree.extends(first, size, path, naive_root(entries[:first]), naive_root(entries))


@settings(max_examples=60, deadline=None)
@given(LOGS, st.data())
def test_no_changed_proof_holds(entries, data):
    size = len(entries)
    nodes, whole = stored(entries), naive_root(entries)
    index = data.draw(st.integers(0, size - 1))
    path = tree.proof(tree.inclusion_ranges(index, size), nodes.__getitem__)
    leaf = tree.leaf_hash(entries[index])
    assert not tree.includes(tree.leaf_hash(b"other" + entries[index]), index, size, path, whole)
    assert not tree.includes(leaf, index, size, [*path, whole], whole)
    assert not tree.includes(leaf, size, size, path, whole)
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        assert not tree.includes(leaf, index, size, [*path[:at], b"\0" * 32, *path[at + 1 :]], whole)
        assert not tree.includes(leaf, index, size, path[:-1], whole)
    first = data.draw(st.integers(1, size))
    path = tree.proof(tree.consistency_ranges(first, size), nodes.__getitem__)
    old = naive_root(entries[:first])
    assert not tree.extends(first, size, path, b"\0" * 32, whole)
    assert not tree.extends(first, size, path, old, b"\0" * 32)
    assert not tree.extends(first, size, [*path, old], old, whole)
    if path:
        assert not tree.extends(first, size, path[:-1], old, whole)


@pytest.mark.parametrize("size", [1, 1_000_000, 999_999, 2**20])
def test_a_proof_of_a_large_log_reads_few_hashes(size):
    for index in (0, size // 3, size - 1):
        assert len(tree.places_of(tree.inclusion_ranges(index, size))) <= 2 * 20
    assert len(tree.cover(0, size)) <= 20
    assert len(tree.places_of(tree.consistency_ranges(max(size // 3, 1), size))) <= 2 * 20


def test_a_path_that_ends_too_early_proves_nothing_though_its_hash_fits():
    nodes, whole = stored(ENTRIES), bytes.fromhex(ROOTS[7])
    assert not tree.includes(whole, 0, 8, [], whole)
    left, right = nodes[2, 0], nodes[2, 1]
    assert not tree.includes(left, 0, 8, [right], whole)
    assert not tree.extends(4, 9, [right], left, whole)


def test_impossible_proofs_are_refused():
    for bad in ((-1, 3), (3, 3), (0, 0)):
        with pytest.raises(ValueError, match="leaf"):
            tree.inclusion_ranges(*bad)
    for bad in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="order"):
            tree.consistency_ranges(*bad)
    assert not tree.extends(0, 3, [], tree.EMPTY_ROOT, tree.EMPTY_ROOT)
    assert not tree.extends(3, 2, [], tree.EMPTY_ROOT, tree.EMPTY_ROOT)
