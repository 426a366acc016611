#!/usr/bin/env python3
"""Verifies exports of runs without `runbook`: with Python's standard library, and `ssh-keygen` for signatures.

Written from docs/record.md alone, so that two programs that share no code have to agree. What it does not do is to play
the run again: it shows that nothing was changed, not that every event was possible."""
import argparse, hashlib, json, re, subprocess, sys, tempfile

HEADER = re.compile(
    rb'\{"record":"runbook record","format":1,"run":"([0-9a-z]{26})","plan_digest":"(sha256:[0-9a-f]{64})","plan":(\{.*\})\}')
SEAL, SEAL_BYTES = re.compile(rb',"file":"(sha256:[0-9a-f]{64})"\}\n'), len(',"file":"sha256:"}\n') + 64

def demand(holds, what):
    if not holds:
        raise ValueError(what)

def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()

def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

def one_line(text):
    return "".join(f"\\u{{{ord(c):x}}}" if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in text)

def signed(signers, who, namespace, text, armoured):
    with tempfile.NamedTemporaryFile("w") as file:
        print(armoured, file=file, flush=True)
        command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", who, "-n", namespace, "-s", file.name]
        return subprocess.run(command, input=text.encode(), capture_output=True).returncode == 0

def vote_text(run, body):
    vote, terms = body["vote"], body["vote"].get("terms")
    if terms:
        return (f"runbook decision ahead v1\nid: {one_line(terms['id'])}\nprocedure: {terms['procedure']} {terms['version']}\n"
                f"plan: {terms['plan']}\nstep: {terms['step']}\nenvironment: {one_line(terms['environment'] or 'any')}\n"
                f"inputs: {terms['inputs'] or 'any'}\nuses: {terms['uses']}\nexpires: {terms['expires']}\n"
                f"by: {one_line(terms['by']['person'])}\nreason-{sha256(terms['reason'].encode())}\n")
    return (f"runbook decision v1\nrun: {run}\ndecision: {body['decision']}\nchoice: {vote['choice']}\n"
            f"digest: {vote['digest']}\nby: {one_line(vote['by']['person'])}\n"
            f"reason-{sha256((vote['reason'] or '').encode())}\nanswers-{sha256(canonical(vote['answers']))}\n")

def verify(data, signers=None, heads=()):
    """Raises a Fault unless the export is what was recorded."""
    seal = SEAL.fullmatch(bytes(data[-SEAL_BYTES:]))
    demand(seal, "the end is cut or changed")
    demand(sha256(memoryview(data)[:-SEAL_BYTES]) == seal[1].decode(), "the file is not as it was written")
    first, *events, last = bytes(data).split(b"\n")[:-1]
    header = HEADER.fullmatch(first)
    demand(header, "the first line is another one")
    run, plan_digest, plan = header[1].decode(), header[2].decode(), header[3]
    demand(plan_digest in (sha256(plan), sha256(canonical(json.loads(plan)))), "the plan is another one")
    hashes = [sha256(b"runbook journal 1 " + header[1])]
    for seq, line in enumerate(events, 1):
        front, _, end = line.rpartition(b',"hash":"')
        demand(front.startswith(b'{"run":"%s","seq":%d,"at":"' % (header[1], seq)), f"event {seq} is not here")
        digest = sha256(hashes[-1].encode() + front + b"}")
        demand(end == digest.encode() + b'"}', f"event {seq} is not what was recorded")
        event = json.loads(front + b"}")
        kind, body, vote = event["kind"], event["body"], event["body"].get("vote")
        demand(kind != "run_started" or seq == 1 and body["plan"] == plan_digest, "the run started with another plan")
        if kind == "decision_requested":
            shown = {name: value for name, value in body["request"].items() if name != "digest"}
            demand(sha256(canonical(shown)) == body["request"]["digest"], f"event {seq} shows something else")
        if kind == "decided":
            demand(vote["head"] is None or vote["head"] in hashes[1:], f"the vote of event {seq} saw another record")
            if signers and vote["signature"]:
                who, armoured = vote["by"]["person"], vote["signature"]["armoured"]
                demand(signed(signers, who, "runbook-decision", vote_text(run, body), armoured), f"{who} did not vote so")
        hashes.append(digest)
    tail = json.loads(last)
    demand(set(tail) == {"head", "events", "anchors", "file"}, "the last line is another one")
    demand(events and tail["head"] == hashes[-1] and tail["events"] == len(events), "it does not end as recorded")
    demand(set(heads) <= set(hashes[1:]), "a head that was kept is not in the record")
    for anchor in tail["anchors"]:
        seen = anchor["run"] == run and 0 < anchor["seq"] < len(hashes) and hashes[anchor["seq"]] == anchor["head"]
        demand(seen, "an anchor is not in the record")
    vouched = [anchor for anchor in tail["anchors"] if signers and "signed" in anchor]
    demand(vouched or not signers, "nobody signed a head")
    for anchor in vouched:
        who, armoured = anchor["signed"]["by"], anchor["signed"]["armoured"]
        text = (f"runbook head v1\nrun: {run}\nevent: {anchor['seq']}\nhead: {anchor['head']}\n"
                f"at: {anchor['at']}\nby: {one_line(who)}\n")
        demand(signed(signers, who, "runbook-head", text, armoured), f"{who} did not sign this head")

def verdict(data, signers=None, heads=()):
    try:
        verify(data, signers, heads)
        return "whole"
    except Exception as fault:
        return f"fault: {fault}"

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--signers")
    parser.add_argument("--head", action="append", default=[])
    parser.add_argument("export", nargs="+")
    args = parser.parse_args()
    verdicts = {path: verdict(open(path, "rb").read(), args.signers, args.head) for path in args.export}
    print(*(f"{path}\t{said}" for path, said in verdicts.items()), sep="\n")
    sys.exit(any(said != "whole" for said in verdicts.values()))
