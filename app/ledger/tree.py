"""The Merkle tree of RFC 9162 (section 2.1), with SHA-256: roots, inclusion and consistency proofs, and their checks.

Pure and without storage. Whoever keeps a log stores the hash of every *perfect* subtree once, under its place
`(level, index)`: the subtree over the leaves `index·2^level … (index+1)·2^level - 1`. Such a hash never changes again when
the log grows, and any root or proof is made of at most about 2·log2(size) of them.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

Place = tuple[int, int]  # level (0 is a leaf), index among the perfect subtrees of that level
Read = Callable[[Place], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a log entry as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def cover(low: int, high: int) -> list[Place]:
    """The perfect subtrees that make up the leaves `low … high - 1`, left to right, where `low` starts a subtree of the tree."""
    places = []
    while low < high:
        level = (high - low).bit_length() - 1
        if low:
            level = min(level, (low & -low).bit_length() - 1)
        places.append((level, low >> level))
        low += 1 << level
    return places


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over neighbouring perfect subtrees that shrink from left to right, as `cover` names them."""
    if not hashes:
        return EMPTY_ROOT
    right = hashes[-1]
    for left in reversed(hashes[:-1]):
        right = node_hash(left, right)
    return right


def extend(size: int, frontier: Sequence[bytes], entries: Iterable[bytes]) -> tuple[list[tuple[Place, bytes]], list[bytes]]:
    """Append entries to a log of `size` leaves whose perfect subtrees `cover(0, size)` have the hashes `frontier`.

    Returns every perfect subtree that is complete now, leaves included, and the new frontier.
    """
    finished: list[tuple[Place, bytes]] = []
    stack = list(frontier)
    for entry in entries:
        node, level, index = leaf_hash(entry), 0, size
        finished.append(((0, index), node))
        while index & 1:
            node, level, index = node_hash(stack.pop(), node), level + 1, index >> 1
            finished.append(((level, index), node))
        stack.append(node)
        size += 1
    return finished, stack


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose hashes are the inclusion proof of leaf `index` in a log of `size`. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    low, high, ranges = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[tuple[int, int]]:
    """The leaf ranges whose hashes prove that the log of `second` leaves begins with that of `first`. Raises ValueError."""
    if not 0 < first <= second:
        raise ValueError("sizes out of order")
    low, high, ranges, whole = 0, second, [], True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low, whole = middle, False
    if not whole:
        ranges.append((low, high))
    return ranges[::-1]


def proof(ranges: Iterable[tuple[int, int]], read: Read) -> list[bytes]:
    """The hashes of a proof; `read` gives those of perfect subtrees."""
    return [fold([read(place) for place in cover(*one)]) for one in ranges]


def places_of(ranges: Iterable[tuple[int, int]]) -> list[Place]:
    """Every perfect subtree that `proof` will ask for, to be read at once."""
    return [place for one in ranges for place in cover(*one)]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` proves that the leaf with hash `leaf` stands at `index` below `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, node = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(step, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, step)
        position, last = position >> 1, last >> 1
    return last == 0 and node == root


def extends(first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether `path` proves that the log of `second` leaves begins with that of `first` (RFC 9162, 2.1.4.2)."""
    if first == second:
        return not path and first_root == second_root
    if not 0 < first < second or not path:
        return False
    steps = list(path) if first & (first - 1) else [first_root, *path]
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1
