#!/usr/bin/env python3
"""明鉴收据核对工具 / Mingjian receipt verifier.

One file; needs Python 3.9 or newer and `pip install cryptography`. It uses no network and shares no code with the server.

    python mingjian_verify.py FILE… [--key KEYID]… [--text FILE] [--remember FILE] [--now INSTANT]

Give it every file you have, in any order; it tells them apart by what is in them:

    receipt       收据, as the server answered the filing
    proof         证明, from /api/v1/ledger/proofs/COMMITMENT (with ?since=SIZE it holds a consistency proof as well)
    heads         签名头, from /api/v1/ledger/logs, from somebody else, from a notice board, or remembered from before
    consistency   一致性证明, from /api/v1/ledger/logs/LOG/consistency?first=…&second=…
    keys          公钥, from /api/v1/ledger/keys

--key       id of a public key that you trust, read from a notice board or another trusted place
--text      {"division_code", "title", "body"}: checks that this is the text that the receipt is about
--remember  writes all heads there when nothing is wrong, to be given again next time
--now       the present instant, for instance 2026-11-24T08:00:00Z

Exit status: 0 proven; 1 something is wrong; 2 a file can not be used; 3 nothing is wrong, but not everything is proven.
"""

import argparse
import hashlib
import json
import re
import sys
from datetime import datetime, timedelta, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

HEAD, PROMISE, EVENT, TEXT = "mingjian-head-v1", "mingjian-promise-v1", "mingjian-event-v1", "mingjian-text-v1"
HEX64 = re.compile(r"[0-9a-f]{64}")
LOG = re.compile(r"([0-9]{2}){1,3}")
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|\+00:00)")

GOOD, OPEN, WRONG = "✓", "!", "✗"
WORDS = {
    # What is in order.
    "receipt-opens": ("收据与其承诺值相符", "The receipt leads to its commitment"),
    "promise-signed": ("承诺由密钥 {key} 签名,编号、时间和期限未被改动", "The promise is signed with key {key}; number, instant and dates are unchanged"),
    "text-fits": ("文字与收据相符", "The text is the one that the receipt is about"),
    "included": ("日志 {log} 第 {index} 条在 {at} 签名的头(共 {size} 条)之下", "Log {log}, entry {index}: it is below the head of {size} entries signed at {at}"),
    "continues": ("日志 {log}:{second} 条的账本以先前 {first} 条开头", "Log {log}: the log of {second} entries begins with the earlier one of {first}"),
    "to-the-top": ("一直核对到省级日志 {log}", "Checked up to the log {log} of the province"),
    # What is not proven.
    "key-not-compared": ("密钥 {key} 未与公告栏核对(用 --key)", "Key {key} was not compared with a notice board (use --key)"),
    "not-in-log-yet": ("没有入账证明;最迟应在 {until} 之前入账", "No proof of its place in the ledger was given; it is due by {until}"),
    "promise-overdue": ("已过承诺的期限 {until},却没有入账证明:请索取;若得不到,本收据就是失约的证据", "The promised time {until} has passed without a proof: ask for it; if there is none, this receipt is the evidence of a broken promise"),
    "not-exchanged-yet": ("日志 {log} 的头还没有上一级的证明", "Log {log}: the level above has not confirmed its head yet"),
    "no-consistency": ("日志 {log}:没有证明 {second} 条的账本以 {first} 条的账本开头", "Log {log}: nothing proves that the log of {second} entries begins with that of {first}"),
    # What is wrong.
    "receipt-changed": ("收据被改动:盐、内容与承诺值不符", "The receipt was changed: salt and opening do not lead to the commitment"),
    "receipt-mixed": ("收据各部分不属于同一件事({field})", "The parts of the receipt do not belong together ({field})"),
    "promise-changed": ("编号、时间或期限与签名的承诺不符", "Number, instant or dates are not those of the signed promise"),
    "promise-forged": ("承诺的签名不符:伪造或被改动(密钥 {key})", "The signature of the promise does not fit: it is forged or was changed (key {key})"),
    "text-differs": ("文字与收据不符", "This is not the text that the receipt is about"),
    "other-proof": ("证明属于另一份收据({commitment})", "The proof belongs to another receipt ({commitment})"),
    "wrong-log": ("证明第 {step} 步在日志 {log},应在 {wanted}", "Step {step} of the proof is in log {log} and should be in {wanted}"),
    "not-included": ("日志 {log} 第 {index} 条:证明不能到达 {at} 签名的头(共 {size} 条):条目被删除、改动、调换,或头是假的", "Log {log}, entry {index}: the proof does not reach the head of {size} entries signed at {at}: an entry was removed, changed or moved, or the head is false"),
    "head-forged": ("日志 {log},{size} 条的头({at}):签名不符(密钥 {key})", "Log {log}, head of {size} entries ({at}): the signature does not fit (key {key})"),
    "key-unknown": ("没有密钥 {key} 的公钥", "There is no public key {key}"),
    "key-not-trusted": ("签名的密钥 {key} 不是您信任的", "It is signed with key {key}, which is none that you trust"),
    "key-revoked": ("日志 {log},{size} 条的头({at}):密钥 {key} 在此之前已作废", "Log {log}, head of {size} entries ({at}): key {key} was withdrawn before"),
    "promise-revoked": ("承诺的密钥 {key} 在签名之前已作废", "The promise is signed with key {key}, which was withdrawn before"),
    "fork": ("日志 {log} 在 {size} 条处有两个不同的根({at} 与 {other}):账本给不同的人看了不同的内容", "Log {log} has two different roots at {size} entries ({at} and {other}): different readers were shown different logs"),
    "shrunk": ("日志 {log} 变短了:{other} 有 {first} 条,{at} 只有 {size} 条", "Log {log} became shorter: {first} entries at {other}, only {size} at {at}"),
    "rewritten": ("日志 {log}:{second} 条的账本({at})不以先前 {first} 条的账本({other})开头:历史被改写", "Log {log}: the log of {second} entries ({at}) does not begin with that of {first} ({other}): history was rewritten"),
}  # fmt: skip


class Unusable(Exception):
    """A file that can not be read as what it seems to be."""


class Report:
    """Sentences in both languages, and the worst of them."""

    def __init__(self):
        self.lines = []

    def add(self, sign, code, **place):
        zh, en = WORDS[code]
        line = (sign, code, zh.format(**place), en.format(**place))
        if line not in self.lines:
            self.lines.append(line)

    def status(self):
        signs = {line[0] for line in self.lines}
        return 1 if WRONG in signs else 3 if OPEN in signs or not signs else 0


def canonical(document):
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def unsigned(document):
    return {name: value for name, value in document.items() if name != "signature"}


def instant(text):
    found = INSTANT.fullmatch(text)
    if not found:
        raise Unusable(f"not an instant in UTC: {text[:40]}")
    whole, part, _ = found.groups()
    moment = datetime.strptime(whole + (part or ".0"), "%Y-%m-%dT%H:%M:%S.%f")
    return moment.replace(tzinfo=timezone.utc)


# Files


def read(path):
    def once(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise Unusable(f"{path}: a name appears twice in one object")
        return dict(pairs)

    def refuse(_number):
        raise Unusable(f"{path}: a number with a fraction")

    try:
        with open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8-sig"), object_pairs_hook=once, parse_float=refuse, parse_constant=refuse)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path}: not JSON") from error


def want(document, shape, where):
    """Raise Unusable unless the document has these members of these types."""
    if not isinstance(document, dict):
        raise Unusable(f"{where}: not an object")
    for name, kind in shape.items():
        value = document.get(name)
        fits = (
            isinstance(value, kind) if isinstance(kind, type) else isinstance(value, str) and kind.fullmatch(value)
        )
        if not fits or isinstance(value, bool) or (kind is int and not 0 <= value < 2**53):
            raise Unusable(f"{where}: {name} is missing or malformed")


def want_head(head, where):
    want(head, {"log": LOG, "size": int, "root": HEX64, "at": INSTANT, "key_id": HEX64, "signature": str}, where)
    if head.get("kind") != HEAD or head.get("algorithm") != "ES256":
        raise Unusable(f"{where}: not a head of a kind that this verifier knows")


def want_path(path, where):
    if not isinstance(path, list) or len(path) > 128 or not all(isinstance(x, str) and HEX64.fullmatch(x) for x in path):
        raise Unusable(f"{where}: path is malformed")


class Files:
    """Everything that was given, sorted by kind and checked for its shape."""

    def __init__(self, paths):
        self.receipts, self.proofs, self.heads, self.consistency, self.keys = [], [], [], [], {}
        for path in paths:
            self.take(read(path), path)

    def take(self, document, where):
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            document = document["items"]
        if isinstance(document, list):
            for one in document:
                self.take_one(one, where)
        else:
            self.take_one(document, where)

    def take_one(self, one, where):
        if not isinstance(one, dict):
            raise Unusable(f"{where}: not an object")
        if "promise" in one and "opening" in one:
            self.take_receipt(one, where)
        elif "links" in one:
            self.take_proof(one, where)
        elif "root" in one:
            want_head(one, where)
            self.heads.append(one)
        elif "first" in one and "second" in one:
            want(one, {"log": LOG, "first": int, "second": int}, where)
            want_path(one.get("path"), where)
            self.consistency.append(one)
        elif "public" in one:
            self.take_key(one, where)
        else:
            raise Unusable(f"{where}: neither receipt, proof, head, consistency proof nor key")

    def take_receipt(self, one, where):
        want(one, {"id": str, "serial": str, "state": str, "filed_at": INSTANT, "promises": list, "commitment": HEX64, "salt": HEX64, "opening": dict, "promise": dict}, where)
        want(one["promise"], {"log": LOG, "commitment": HEX64, "filed_at": INSTANT, "max_delay": int, "receipt": HEX64, "key_id": HEX64, "signature": str}, where)
        if one["promise"].get("kind") != PROMISE or one["promise"].get("algorithm") != "ES256" or one["promise"]["max_delay"] > 10**9:
            raise Unusable(f"{where}: not a promise of a kind that this verifier knows")
        if one["opening"].get("kind") != EVENT:
            raise Unusable(f"{where}: not an event of a kind that this verifier knows")
        self.receipts.append(one)

    def take_proof(self, one, where):
        want(one, {"commitment": HEX64, "links": list}, where)
        if not 0 < len(one["links"]) <= 8:
            raise Unusable(f"{where}: links is malformed")
        for link in one["links"]:
            want(link, {"index": int, "head": dict}, where)
            want_path(link.get("path"), where)
            want_head(link["head"], where)
        self.proofs.append(one)
        for name in ("consistency", "keys"):
            for more in one.get(name) or []:
                self.take_one(more, where)

    def take_key(self, one, where):
        want(one, {"key_id": HEX64, "public": str}, where)
        revoked = one.get("revoked_at")
        if revoked is not None and not (isinstance(revoked, str) and INSTANT.fullmatch(revoked)):
            raise Unusable(f"{where}: revoked_at is malformed")
        try:
            raw = bytes.fromhex(one["public"])
        except ValueError as error:
            raise Unusable(f"{where}: public is malformed") from error
        if hashlib.sha256(raw).hexdigest() != one["key_id"]:
            raise Unusable(f"{where}: a key whose id is not that of its public half")
        known = self.keys.get(one["key_id"])
        # Of two statements about one key the stricter counts.
        if known and known[1] is not None and (revoked is None or instant(known[1]) < instant(revoked)):
            revoked = known[1]
        self.keys[one["key_id"]] = (raw, revoked)


# Signatures and trees


def signature_fits(raw, document):
    try:
        key = serialization.load_der_public_key(raw)
        signature = bytes.fromhex(document["signature"])
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1" or len(signature) != 64:
            return False
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        key.verify(der, canonical(unsigned(document)), ec.ECDSA(hashes.SHA256()))
        return True
    except (InvalidSignature, ValueError, TypeError):
        return False


def root_of_inclusion(leaf, index, size, path):
    """The root to which the path leads, or None when it has the wrong length (RFC 9162, 2.1.3.2)."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn % 2 == 1 or fn == sn:
            r = digest(b"\x01", p, r)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = digest(b"\x01", r, p)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


def consistent(first, second, path, first_root, second_root):
    """RFC 9162, 2.1.4.2."""
    if first == second:
        return first_root == second_root and not path
    if not 0 < first < second or not path:
        return False
    if first & (first - 1) == 0:
        path = [first_root] + path
    fn, sn = first - 1, second - 1
    while fn % 2 == 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn % 2 == 1 or fn == sn:
            fr, sr = digest(b"\x01", c, fr), digest(b"\x01", c, sr)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = digest(b"\x01", sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


# What is checked


def check_key(files, trusted, document, report, forged, revoked, **place):
    """Whether the signature of a document is that of a key that may be believed."""
    key_id = document["key_id"]
    short = key_id[:16]
    if key_id not in files.keys:
        report.add(WRONG, "key-unknown", key=short)
        return False
    raw, withdrawn = files.keys[key_id]
    if not signature_fits(raw, document):
        report.add(WRONG, forged, key=short, **place)
        return False
    if withdrawn is not None and instant(document.get("at") or document["filed_at"]) >= instant(withdrawn):
        report.add(WRONG, revoked, key=short, **place)
        return False
    if not trusted:
        report.add(OPEN, "key-not-compared", key=key_id)
    elif key_id not in trusted:
        report.add(WRONG, "key-not-trusted", key=key_id)
        return False
    return True


def check_receipt(files, trusted, receipt, text, report):
    promise, opening = receipt["promise"], receipt["opening"]
    commitment = digest(bytes.fromhex(receipt["salt"]), canonical(opening)).hex()
    if commitment != receipt["commitment"]:
        report.add(WRONG, "receipt-changed")
    else:
        report.add(GOOD, "receipt-opens")
    pairs = {
        "commitment": promise["commitment"] == receipt["commitment"],
        "id": opening.get("case") == receipt["id"],
        "event": opening.get("event") == "file" and opening.get("seq") == 1,
        "filed_at": opening.get("at") == promise["filed_at"] and instant(receipt["filed_at"]) == instant(promise["filed_at"]),
    }
    for field, fits in pairs.items():
        if not fits:
            report.add(WRONG, "receipt-mixed", field=field)
    covered = {name: receipt[name] for name in ("id", "serial", "state", "filed_at", "promises")}
    same = digest(canonical(covered)).hex() == promise["receipt"]
    if not same:
        report.add(WRONG, "promise-changed")
    if check_key(files, trusted, promise, report, "promise-forged", "promise-revoked") and same:
        report.add(GOOD, "promise-signed", key=promise["key_id"][:16])
    if text is not None:
        want(text, {"division_code": str, "title": str, "body": str}, "--text")
        words = {"kind": TEXT, "serial": receipt["serial"], "division_code": text["division_code"], "title": text["title"]}
        # A form of the web ends its lines with two characters, an editor mostly with one.
        lines = re.sub(r"\r?\n", "\n", text["body"])
        bodies = (text["body"], lines, lines.replace("\n", "\r\n"))
        digests = {digest(bytes.fromhex(receipt["salt"]), canonical({**words, "body": one})).hex() for one in bodies}
        fits = opening.get("text") in digests
        report.add(GOOD if fits else WRONG, "text-fits" if fits else "text-differs")


def check_place(receipt, proof, report):
    """The chain from the entry up to the province. Signatures of its heads are checked with all other heads."""
    entry, wanted = bytes.fromhex(receipt["commitment"]), receipt["promise"]["log"]
    for step, link in enumerate(proof["links"], 1):
        head = link["head"]
        if head["log"] != wanted:
            report.add(WRONG, "wrong-log", step=step, log=head["log"], wanted=wanted or "—")
            return
        place = {"log": head["log"], "index": link["index"], "size": head["size"], "at": head["at"]}
        path = [bytes.fromhex(one) for one in link["path"]]
        root = root_of_inclusion(digest(b"\x00", entry), link["index"], head["size"], path) if link["index"] < head["size"] else None
        if root is None or root.hex() != head["root"]:
            report.add(WRONG, "not-included", **place)
            return
        report.add(GOOD, "included", **place)
        entry, wanted = digest(canonical(unsigned(head))), head["log"][:-2]
    if wanted:
        report.add(OPEN, "not-exchanged-yet", log=proof["links"][-1]["head"]["log"])
    else:
        report.add(GOOD, "to-the-top", log=proof["links"][-1]["head"]["log"])


def check_heads(files, trusted, report):
    heads = files.heads + [link["head"] for proof in files.proofs for link in proof["links"]]
    logs = {}
    for head in heads:
        place = {"log": head["log"], "size": head["size"], "at": head["at"]}
        if check_key(files, trusted, head, report, "head-forged", "key-revoked", **place):
            logs.setdefault(head["log"], []).append(head)
    for log, known in sorted(logs.items()):
        check_log(log, known, [one for one in files.consistency if one["log"] == log], report)


def check_log(log, heads, proofs, report):
    """All heads of one log have to tell one story: one root for each size, growing with time, each the beginning of the next."""
    by_size = {}
    for head in sorted(heads, key=lambda one: (one["size"], instant(one["at"]))):
        other = by_size.setdefault(head["size"], head)
        if other["root"] != head["root"]:
            report.add(WRONG, "fork", log=log, size=head["size"], at=head["at"], other=other["at"])
    in_time = sorted(heads, key=lambda one: (instant(one["at"]), one["size"]))
    for before, after in zip(in_time, in_time[1:]):
        if after["size"] < before["size"]:
            report.add(WRONG, "shrunk", log=log, first=before["size"], size=after["size"], at=after["at"], other=before["at"])
    sizes = sorted(by_size)
    proven = {sizes[-1]}
    steps = {}
    for one in proofs:
        first, second = by_size.get(one["first"]), by_size.get(one["second"])
        if first is None or second is None:
            continue
        roots = bytes.fromhex(first["root"]), bytes.fromhex(second["root"])
        if consistent(one["first"], one["second"], [bytes.fromhex(x) for x in one["path"]], *roots):
            steps.setdefault(one["second"], set()).add(one["first"])
            if one["first"] != one["second"]:
                report.add(GOOD, "continues", log=log, first=one["first"], second=one["second"])
        else:
            report.add(WRONG, "rewritten", log=log, first=one["first"], second=one["second"], at=second["at"], other=first["at"])
            proven.add(one["first"])
    for size in reversed(sizes):
        if size in proven:
            proven |= steps.get(size, set())
        else:
            report.add(OPEN, "no-consistency", log=log, first=size, second=sizes[-1])


def check(files, trusted, text, now):
    """Everything that can be said about the files."""
    report = Report()
    for receipt in files.receipts:
        check_receipt(files, trusted, receipt, text, report)
        own = [proof for proof in files.proofs if proof["commitment"] == receipt["commitment"]]
        for proof in own:
            check_place(receipt, proof, report)
        if not own:
            until = instant(receipt["promise"]["filed_at"]) + timedelta(seconds=receipt["promise"]["max_delay"])
            shown = until.strftime("%Y-%m-%dT%H:%M:%SZ")
            report.add(OPEN, "promise-overdue" if now > until else "not-in-log-yet", until=shown)
    known = {receipt["commitment"] for receipt in files.receipts}
    for proof in files.proofs:
        if known and proof["commitment"] not in known:
            report.add(WRONG, "other-proof", commitment=proof["commitment"][:16])
    check_heads(files, trusted, report)
    return report


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--key", action="append", default=[], metavar="KEYID")
    parser.add_argument("--text", metavar="FILE")
    parser.add_argument("--remember", metavar="FILE")
    parser.add_argument("--now", metavar="INSTANT")
    given = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        files = Files(given.files)
        now = instant(given.now) if given.now else datetime.now(timezone.utc)
        report = check(files, {one.lower() for one in given.key}, read(given.text) if given.text else None, now)
    except (Unusable, ValueError, OverflowError) as error:
        print(f"文件无法使用 / a file can not be used: {error}", file=sys.stderr)
        return 2
    for sign, code, zh, en in report.lines:
        print(f"{sign} {zh}\n  {en} [{code}]")
    status = report.status()
    verdict = {
        0: ("结论:核对无误", "Verdict: proven"),
        1: ("结论:有问题,见上面带 ✗ 的行", "Verdict: something is wrong, see the lines with ✗"),
        3: ("结论:没有发现问题,但尚未全部证实,见带 ! 的行", "Verdict: nothing is wrong, but not everything is proven, see the lines with !"),
    }[status]
    print(f"{verdict[0]}\n{verdict[1]}")
    if given.remember and status != 1:
        heads = files.heads + [link["head"] for proof in files.proofs for link in proof["links"]]
        unique = sorted({canonical(one): one for one in heads}.values(), key=lambda one: (one["log"], one["size"], one["at"]))
        with open(given.remember, "w", encoding="utf-8") as file:
            json.dump(unique, file, ensure_ascii=False, indent=1)
    return status


if __name__ == "__main__":
    sys.exit(main())
