#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a version 3 journal and shares no code with the software that wrote it.

    decode.py FOLDER

FOLDER holds frames as files named *.bin (sorted by name) and, where there is one, the LEDGER file.
Prints one JSON object a line: the identity, then every frame followed by its records. Written from
docs/FORMAT.md with the standard library only; neither BLAKE3 nor XXH3 is in there, so checksums, record hashes
and commitments are printed and not checked. Everything else that the document states is.
"""

import json
import pathlib
import struct
import sys

FRAME_HEADER = struct.Struct("<8sHHI16sQQIIQqq32s32s16s16s16s")
TABLE_ENTRY = struct.Struct("<II32s")
RECORD_HEADER = struct.Struct("<HHHHBBBBIQq16sQ16s16s16s16s32sHHI32s16sqI4s")
SALT_LEN = 16

# Parts of payloads: name -> its fields in order.
PARTS = {
    "party": "issuer:str id:str",
    "approval": "request_version:u64 rule:str needed:u32 approvers:party[] refused_by:party?",
    "segment": "view:str version:u32 first_seq:u64 last_seq:u64 digest:b32",
}

# The payloads: event type -> name, then for each revision its fields in order.
EVENTS = {
    0x0101: ("ProtocolValidated", {1: "input:bytes input_len:u64 input_digest:b32 accepted:bool problem:str"}),
    0x0102: ("AuthorizationDecided", {1: "capability:str arguments:bytes arguments_digest:b32 decision:u8 reason:str "
                                         "policy_version:str policy_digest:b32 configuration_version:u64 registry_version:u64",
                                      2: "capability:str arguments:bytes arguments_digest:b32 decision:u8 reason:str "
                                         "policy_version:str policy_digest:b32 configuration_version:u64 registry_version:u64 "
                                         "on_behalf_of:party[] approval:approval?"}),
    0x0103: ("ExecutionStarted", {1: "capability:str arguments_digest:b32 configuration_version:u64 registry_version:u64"}),
    0x0104: ("ExecutionCompleted", {1: "result:bytes result_len:u64 result_digest:b32"}),
    0x0105: ("ExecutionFailed", {1: "code:str message:str result:bytes result_len:u64 result_digest:b32"}),
    0x0106: ("ExecutionCancelled", {1: "reason:str"}),
    0x0107: ("ExecutionResolved", {1: "resolution:u8 reason:str result:bytes result_len:u64 result_digest:b32"}),
    0x0108: ("ExecutionInDoubt", {1: "cause:u8"}),
    0x0109: ("ExecutionAbandoned", {1: "cause:u8"}),
    0x010A: ("ApprovalRequested", {1: "capability:str arguments:bytes arguments_digest:b32 reason:str policy_version:str "
                                      "policy_digest:b32 configuration_version:u64 registry_version:u64 on_behalf_of:party[] "
                                      "asked:party[] asked_roles:str[] rule:str approvers_needed:u32 until_ns:i64 shown:bytes "
                                      "shown_digest:b32"}),
    0x010B: ("ApprovalGiven", {1: "approver:party role:str authenticated:str reason:str shown_digest:b32 given:u32 needed:u32"}),
    0x010C: ("ApprovalRefused", {1: "approver:party role:str authenticated:str reason:str shown_digest:b32"}),
    0x010D: ("ApprovalExpired", {1: "given:u32 needed:u32"}),
    0x010E: ("ApprovalConfirmed", {1: "reason:str policy_version:str policy_digest:b32 configuration_version:u64 "
                                      "registry_version:u64"}),
    0x0201: ("TransitionsRecorded", {1: "machine:u8 path:bytes"}),
    0x0202: ("AuditRecorded", {1: "family:u8 action:str subject:str detail:bytes"}),
    0x0203: ("RefusalsRecorded", {1: "component:str reason:str count:u64 first_ns:i64 last_ns:i64 detail:str"}),
    0x0204: ("ClockSkewed", {1: "observed_ns:i64 expected_ns:i64 direction:u8"}),
    0x0205: ("ComponentGranted", {1: "component:u32 name:str append:u8 read:u8",
                                  2: "component:u32 name:str append:u8 read:u8 read_payloads:u8 finish_others:bool "
                                     "resolve_others:bool sign_checkpoints:bool records_per_second:u32? bytes_per_second:u64?",
                                  3: "component:u32 name:str append:u8 read:u8 read_payloads:u8 finish_others:bool "
                                     "resolve_others:bool sign_checkpoints:bool approve:bool records_per_second:u32? "
                                     "bytes_per_second:u64?"}),
    0x0206: ("ComponentRevoked", {1: "component:u32 reason:str"}),
    0x0207: ("LedgerOpened", {1: "software:str head:u64 in_doubt:u64 abandoned:u64 clean:bool duration_ns:u64"}),
    0x0208: ("LedgerClosed", {1: "running:u64"}),
    0x0209: ("HealthChanged", {1: "healthy:bool cause:str"}),
    0x020A: ("CheckpointSigned", {1: "size:u64 root:b32 note:bytes copied:u32 failed:u32 problem:str"}),
    0x020B: ("CheckpointCosigned", {1: "size:u64 root:b32 note:bytes added:u32"}),
    0x020C: ("CheckpointWitnessed", {1: "origin:str size:u64 root:b32 note:bytes"}),
    0x020D: ("SigningKeyChanged", {1: "old:str new:str author:str reason:str"}),
    0x020E: ("ClockAccepted", {1: "observed_ns:i64 expected_ns:i64 reason:str"}),
    0x0301: ("TelemetryRecorded", {1: "kind:u8 name:str observed_ns:i64 attributes:bytes"}),
    0x0302: ("TelemetryLost", {1: "first_ns:i64 last_ns:i64 count:u64"}),
    0x0303: ("ActivityRecorded", {1: "first_ns:i64 last_ns:i64 records:u64 commits:u64 frames:u64 bytes:u64 refused:u64"}),
    0x0304: ("StorageFailed", {1: "failed_ns:i64 cause:str"}),
    0x0305: ("SnapshotTaken", {1: "state:u8 layout:u32 length:u64 digest:b32"}),
    0x0306: ("RecoveryReported", {1: "anchored:u64 recovered:u64 log_files:u64 log_batches:u64 torn_bytes:u64 torn_offset:u64 "
                                     "torn_kept:str anchor_slot_lost:bool anchor_renewed:str swept:u64 duration_ns:u64",
                                  2: "anchored:u64 recovered:u64 log_files:u64 log_batches:u64 torn_bytes:u64 torn_offset:u64 "
                                     "torn_kept:str anchor_slot_lost:bool anchor_renewed:str swept:u64 duration_ns:u64 "
                                     "subject_key_renewed:str"}),
    0x8301: ("ViewsSealed", {1: "segments:segment[]"}),
    0x0401: ("ConfigurationChanged", {1: "document:str version:u64 configuration_version:u64 content:bytes content_digest:b32 "
                                         "author:str reason:str restored_version:u64"}),
    0x0501: ("RuntimeIdentified", {1: "runtime:b16 version:str"}),
    0x0502: ("ModuleVersionSet", {1: "module:str version:str"}),
    0x0503: ("ModuleRemoved", {1: "module:str"}),
    0x0511: ("CapabilityRegistered", {1: "capability:str version:str description:str parameters:bytes registry_version:u64"}),
    0x0512: ("CapabilityEnabled", {1: "capability:str reason:str registry_version:u64"}),
    0x0513: ("CapabilityDisabled", {1: "capability:str reason:str registry_version:u64"}),
    0x0514: ("CapabilityChanged", {1: "capability:str version:str description:str parameters:bytes registry_version:u64"}),
    0x0515: ("CapabilityUnregistered", {1: "capability:str reason:str registry_version:u64"}),
    0x0521: ("PositionSaved", {1: "name:str seq:u64"}),
}


class Damaged(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Damaged(what)


class Payload:
    """Codec 1: little endian, integers above one byte in variable length."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        check(len(piece) == count, "payload is cut short")
        self.at += count
        return piece

    def unsigned(self, bits):
        first = self.take(1)[0]
        if first < 251:
            return first
        width = {251: 2, 252: 4, 253: 8}.get(first)
        check(width is not None and width * 8 <= bits, "payload has an integer that is too long")
        return int.from_bytes(self.take(width), "little")

    def fields(self, fields):
        pairs = (field.split(":") for field in fields.split())
        return {key: self.read(kind) for key, kind in pairs}

    def read(self, kind):
        if kind.endswith("?"):
            return self.read(kind[:-1]) if self.read("bool") else None
        if kind.endswith("[]"):
            return [self.read(kind[:-2]) for _ in range(self.unsigned(64))]
        if kind in PARTS:
            return self.fields(PARTS[kind])
        if kind == "u8":
            return self.take(1)[0]
        if kind == "bool":
            value = self.take(1)[0]
            check(value < 2, "payload has a truth value that is none")
            return value == 1
        if kind == "u32":
            return self.unsigned(32)
        if kind == "u64":
            return self.unsigned(64)
        if kind == "i64":
            value = self.unsigned(64)
            return -(value >> 1) - 1 if value & 1 else value >> 1
        if kind == "str":
            return self.take(self.unsigned(64)).decode("utf-8")
        if kind == "bytes":
            return self.take(self.unsigned(64)).hex()
        return self.take({"b16": 16, "b32": 32}[kind]).hex()


def payload(event_type, revision, codec, data):
    check(codec == 1, f"codec {codec} is not known")
    name, revisions = EVENTS.get(event_type, ("Opaque", {}))
    if revision not in revisions:
        return name, None
    reader = Payload(data)
    value = reader.fields(revisions[revision])
    check(reader.at == len(data), "payload has trailing bytes")
    return name, value


def record(data, record_hash):
    check(len(data) >= RECORD_HEADER.size + SALT_LEN, "record is cut short")
    (length, event_type, revision, flags, codec, algorithm, outcome, stores, component, seq, time_ns, stream,
     stream_version, execution, parent, trace, command, command_digest, commit_index, commit_len, payload_len,
     commitment, subject, observed_difference_ns, data_key, reserved) = RECORD_HEADER.unpack_from(data)
    check(length == RECORD_HEADER.size, "record header has another length")
    check(algorithm == 1, "algorithm is not known")
    check(reserved == bytes(4), "reserved bytes of a record header are not zero")
    salt = data[length:length + SALT_LEN]
    stored = data[length + SALT_LEN:]
    check(len(stored) == payload_len, "payload has another length than its header states")
    name, value = payload(event_type, revision, codec, stored)
    return {
        "line": "record", "seq": seq, "event": name, "event_type": event_type, "revision": revision, "flags": flags,
        "codec": codec, "algorithm": algorithm, "outcome": outcome, "stores": stores, "component": component,
        "time_ns": time_ns, "stream": stream.hex(), "stream_version": stream_version, "execution": execution.hex(),
        "parent": parent.hex(), "trace": trace.hex(), "command": command.hex(), "command_digest": command_digest.hex(),
        "commit_index": commit_index, "commit_len": commit_len, "payload_len": payload_len,
        "payload_commitment": commitment.hex(), "subject": subject.hex(), "observed_difference_ns": observed_difference_ns,
        "data_key": data_key, "hash": record_hash.hex(), "salt": salt.hex(), "payload": value,
    }


def frame(data, after):
    """Yields the frame's line, then its records'. `after`: last sequence number, hash and time before it."""
    check(len(data) >= FRAME_HEADER.size, "frame has another length than it states")
    (magic, version, header_len, flags, ledger, epoch, first, count, table_len, body_len, first_time_ns, last_time_ns,
     previous, last_hash, _body, _table, _header) = FRAME_HEADER.unpack_from(data)
    check(magic == b"FCLFRAME", "frame has another magic")
    check(version == 3, f"frame has version {version}")
    check(header_len == FRAME_HEADER.size and flags == 0, "frame has another header length, or flags")
    check(header_len + table_len + body_len == len(data), "frame has another length than it states")
    check(table_len == count * TABLE_ENTRY.size, "frame table has another length than it states")
    check((first, previous) == (after[0] + 1, after[1]), "frame does not follow the frame before")
    yield {
        "line": "frame", "ledger": ledger.hex(), "epoch": epoch, "first": first, "count": count,
        "first_time_ns": first_time_ns, "last_time_ns": last_time_ns, "previous": previous.hex(),
        "last_hash": last_hash.hex(),
    }
    body, end, time_ns = header_len + table_len, 0, after[2]
    for index in range(count):
        offset, length, record_hash = TABLE_ENTRY.unpack_from(data, header_len + index * TABLE_ENTRY.size)
        check(offset == end and end + length <= body_len, "frame table does not describe the body")
        line = record(data[body + offset:body + offset + length], record_hash)
        check(line["seq"] == first + index, "record has another sequence number")
        check(line["time_ns"] >= time_ns, "record has a time before its predecessor's")
        check(index > 0 or line["time_ns"] == first_time_ns, "first record has another time than the frame states")
        end, time_ns = end + length, line["time_ns"]
        yield line
    check(end == body_len, "frame table does not describe the body")
    check((record_hash, time_ns) == (last_hash, last_time_ns), "frame ends in another hash or time")


def identity(text):
    lines = text.splitlines()
    check(lines[0] == "femtoclaw-ledger", "LEDGER begins with another line")
    fields = dict(line.split(" ", 1) for line in lines[1:])
    check(list(fields) == ["format", "ledger", "created", "checksum"], "LEDGER has other lines")
    return {"line": "identity", "format": int(fields["format"]), "ledger": fields["ledger"],
            "created_ns": int(fields["created"])}


def lines(folder):
    ledger = folder / "LEDGER"
    if ledger.exists():
        yield identity(ledger.read_text())
    after = (0, bytes(32), -(1 << 63))
    for path in sorted(folder.glob("*.bin")):
        for line in frame(path.read_bytes(), after):
            if line["line"] == "record":
                after = (line["seq"], bytes.fromhex(line["hash"]), line["time_ns"])
            yield line


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        for line in lines(pathlib.Path(sys.argv[1])):
            print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
    except Damaged as damaged:
        sys.exit(f"damaged: {damaged}")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main()
