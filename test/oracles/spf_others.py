"""spf_others -- SPF records by chance, judged by us and by pyspf.

Each case has names of its own in one zone that both read: records with every
mechanism, macro and mistake, hosts with and without addresses, chains of CNAMEs
and includes, names without answers, names that fail.
"""
import json
import re

import rig
from rig import BUILD, HERE

V4 = [f"192.0.2.{n}" for n in range(1, 9)] + ["198.51.100.7", "203.0.113.200"]
V6 = ["2001:db8::1", "2001:db8::2", "2001:db8:1::1", "::ffff:192.0.2.1"]
LOCALS = ("bob", "Bob", "a.b-c", "bob+x", "o'neil", "x_y", "")
LETTERS = "slodiphvSLODIHV"
LABELS = ("a", "mail", "mx", "spf", "_spf", "x-1", "4")


def name(chance, case):
    return f"{chance.choice(LABELS)}.{case}"


def macro(chance):
    letter = chance.choice(LETTERS if chance.random() < 0.97 else "pctrzq")
    digits = chance.choice(("", "", "", "1", "2", "3", "0", "12"))
    delimiters = chance.choice(("", "", "", ".", "-", "+", ".-", "_", "=", "/"))
    return "%{" + letter + digits + chance.choice(("", "", "r", "R")) + delimiters + "}"


def macro_string(chance, case):
    parts = [chance.choice((macro(chance), macro(chance), "%%", "%_", "%-", "lit", "%{d}", "%{ir}", "%", "%x"
                            if chance.random() < 0.05 else "y")) for _ in range(chance.choice((1, 1, 2, 3)))]
    end = chance.choice((case, "%{d}", f"a.{case}", "%{d2}", "%{o}", "x", "example.")) if chance.random() < 0.9 else ""
    return ".".join(parts + [end]) if end else "".join(parts)


def domain_spec(chance, case):
    return macro_string(chance, case) if chance.random() < 0.25 else name(chance, case)


def prefix(chance):
    return chance.choice(("",) * 8 + ("/24", "/32", "/0", "/24//64", "//64", "//128", "//0", "/8", "/33", "//129", "/",
                                      "/024", "/24/", "//"))


def address_term(chance):
    four = chance.choice(V4) + chance.choice(("", "", "/24", "/32", "/0", "/29", "/33", "/x", "/024"))
    six = chance.choice(V6) + chance.choice(("", "/64", "/128", "/0", "/129", "/32"))
    odd = chance.choice(("ip4:192.0.2", "ip4:", "ip4", "ip6:1", "ip4:192.0.2.1.", "ip6:2001:db8::1::", "ip4:300.1.1.1",
                         "ip6:192.0.2.1", "ip4:2001:db8::1", "ip4:01.2.3.4"))
    return chance.choice((f"ip4:{four}", f"ip6:{six}", f"ip4:{four}", odd if chance.random() < 0.3 else f"ip4:{four}"))


def mechanism(chance, case):
    kind = chance.random()
    if kind < 0.3:
        return address_term(chance)
    if kind < 0.45:
        return "a" + chance.choice(("", ":" + domain_spec(chance, case))) + prefix(chance)
    if kind < 0.6:
        return "mx" + chance.choice(("", ":" + domain_spec(chance, case))) + prefix(chance)
    if kind < 0.75:
        return "include:" + domain_spec(chance, case)
    if kind < 0.85:
        return "exists:" + macro_string(chance, case)
    if kind < 0.9:
        return chance.choice(("ptr", "ptr:" + domain_spec(chance, case)))
    return chance.choice(("all", "all", "all", "ALL", "all:", "all/8", "include", "exists", "include:", "a:", "moo", "foo:x",
                          "mx:", "ptr:", "exists:", "-", "a:.", "include:a..b"))


def modifier(chance, case):
    return chance.choice(("redirect=" + domain_spec(chance, case), "exp=" + name(chance, case), "exp=exp." + case,
                          "moo=x", "x.y-z_1=%{d}", "redirect=", "1x=y", "moo=%{", "exp=%{d}", "moo="))


def record(chance, case):
    terms = [chance.choice(("", "", "", "+", "-", "?", "~")) + mechanism(chance, case)
             for _ in range(chance.choice((0, 1, 2, 3, 5)))]
    if chance.random() < 0.4:
        terms.append(chance.choice(("-all", "~all", "?all", "+all")))
    if chance.random() < 0.35:
        terms.insert(chance.randrange(len(terms) + 1), modifier(chance, case))
    return chance.choice(("v=spf1",) * 20 + ("V=SPF1", "v=spf10", "v=spf2")) + "".join(
        chance.choice((" ", " ", " ", "  ")) + term for term in terms) + chance.choice(("", "", "", " "))


def host(chance, case, types):
    if chance.random() < 0.55:
        types["A"] = chance.sample(V4, chance.choice((1, 1, 2, 3)))
    if chance.random() < 0.25:
        types["AAAA"] = [a for a in chance.sample(V6[:3], chance.choice((1, 2)))]
    if chance.random() < 0.3:
        types["MX"] = [[n * 10, name(chance, case)] for n in range(chance.choice((1, 2, 3, 11)))]
        types["MX"] = [list(x) for x in sorted({tuple(x) for x in types["MX"]})]


def zone_of(chance, case, zone):
    """One case's names."""
    for label in ("",) + tuple(f"{x}." for x in LABELS):
        kind, types = chance.random(), {}
        if kind < 0.06:
            zone[label + case] = "SERVFAIL"
            continue
        if kind < 0.12 and label:
            zone[label + case] = {"CNAME": [chance.choice((f"exp.{case}", case))]}     # no loops: those are SERVFAIL
            continue
        if kind < 0.2 and label:
            continue
        host(chance, case, types)
        if label == "" or chance.random() < 0.6:
            types["TXT"] = [record(chance, case)]
        if chance.random() < 0.05:
            types.setdefault("TXT", []).append(chance.choice(("hello", record(chance, case), "v=spf1x")))
        if types:
            zone[label + case] = types
    zone[f"exp.{case}"] = {"TXT": [chance.choice(("No.", "%{i} is not of %{d}", "%{s} %{c} %{r}", "%{x", "see %%"))]}


def ptrs(chance, zone, cases):
    """One reverse name for all cases: some lead back."""
    for n, address in enumerate(V4[:6]):
        names = [name(chance, chance.choice(cases)) for _ in range(chance.choice((1, 2, 3)))]
        zone[".".join(reversed(address.split("."))) + ".in-addr.arpa"] = {"PTR": names}


def zone_write(path, zone):
    with path.open("w") as out:
        for owner, types in zone.items():
            if types == "SERVFAIL":
                out.write(f"{owner}. SERVFAIL\n")
                continue
            for kind, all in types.items():
                for data in all:
                    text = (rig.quoted(data) if kind == "TXT" else f"{data[0]} {data[1]}." if kind == "MX" else
                            f"{data}." if kind in ("CNAME", "PTR") else data)
                    out.write(f'"{owner}." {kind} {text}\n')
    return path


def question(chance, case):
    address = chance.choice(V4 + V4 + V6)
    helo = chance.choice((case, name(chance, case), "helo.example"))
    domain = chance.choice((case,) * 6 + (name(chance, case), ""))
    return f"{address}\t{helo}\t{chance.choice(LOCALS) if domain else ''}\t{domain}"


class Case:
    def __init__(self, line, zone, case):
        self.line, self.zone, self.case = line, zone, case

    @property
    def story(self):
        mine = {k: v for k, v in self.zone.items() if k.endswith(self.case)}
        return f"{self.line!r} {json.dumps(mine)}"


def says(answer, *words):
    return any(word in answer["why"] for word in words)


def zero_digit(case, _, our, their):
    return our["result"] == "permerror" and re.search(r"%\{[a-z]0", our["why"], re.I) is not None


def unknown_value(case, _, our, their):
    return our["result"] == "permerror" and "has a value that is no macro-string" in our["why"]


def voids_by_terms(case, _, our, their):
    return their["result"] == "permerror" and says(their, "Void lookup limit") and our["result"] != "permerror"


def no_domain(case, _, our, their):
    return our["result"] == "permerror" and "exists' needs a domain" in our["why"]


def percent_end(case, _, our, their):
    return their["result"] == "permerror" and re.search(r"invalid-macro-char : .*%%( |$)", their["why"]) is not None


def odd_prefix(case, _, our, their):
    return our["result"] == "permerror" and re.search(r"/0[0-9]+' has a prefix that is none", our["why"]) is not None


def mx_order(case, _, our, their):
    return "temperror" in (our["result"], their["result"]) and re.search(r"v=spf1[^\"]*[ +?~-]mx", case.story, re.I) is not None


def capital_r(case, _, our, their):
    return re.search(r"%\{[a-zA-Z][0-9]*R", case.story) is not None


def ptr_trouble(case, _, our, their):
    return their["result"] == "temperror" and re.search(r"v=spf1[^\"]*([ +?~-]ptr|%\{p)", case.story, re.I) is not None


def self_included(case, _, our, their):
    return their["result"] == "permerror" and says(their, "trivial recursion")


SETTLED = [
    # "Each mechanism is considered in turn from left to right. [...] If the mechanism matches, processing ends": one
    # that stands behind it is not looked up, whatever it would lead to.
    ("RFC 7208 4.6.2: nothing is included behind a match", self_included),
    # "The DIGIT transformer indicates the number of right-hand parts to use [...] If a DIGIT is specified, the value
    # MUST be nonzero."
    ("RFC 7208 7.3: no digit is 0", zero_digit),
    # unknown-modifier = name "=" macro-string; 4.6: "If there are any syntax errors anywhere in the record,
    # check_host() returns immediately with the result "permerror""
    ("RFC 7208 12: an unknown modifier's value is a macro-string", unknown_value),
    # "limit the number of "terms" for which DNS queries return either a positive answer (RCODE 0) with an answer count
    # of 0, or a "Name Error" (RCODE 3) answer": terms, not each host of an MX.
    ("RFC 7208 4.6.4: terms in vain are counted, not queries", voids_by_terms),
    # "it then performs an address lookup on each MX name returned": in no order; one that matches may stand before or
    # behind one that cannot be asked for.
    ("RFC 7208 5.4: hosts of an MX come in any order", mx_order),
    # transformers = *DIGIT [ "r" ], and RFC 5234 2.3: "ABNF strings are case insensitive"
    ("RFC 7208 12: R reverses as r does", capital_r),
    # ip4-cidr-length = "/" ("0" / %x31-39 0*1DIGIT)
    ("RFC 7208 12: no prefix begins with 0", odd_prefix),
    # exists = "exists" ":" domain-spec
    ("RFC 7208 5.7: exists has a domain", no_domain),
    # macro-expand = ( "%{" ... "}" ) / "%%" / "%_" / "%-"; domain-end = ( "." toplabel [ "." ] ) / macro-expand
    ("RFC 7208 12: a domain may end with %%", percent_end),
    # "If a DNS error occurs while doing an A RR lookup, then that domain name is skipped and the search continues.";
    # %{p} is found in the same way (7.3).
    ("RFC 7208 5.5: an error in validating a name is none of the check", ptr_trouble),
]


def pyspf(scratch):
    chance, zone = rig.seed("pyspf"), {}
    cases = [f"c{n}.example" for n in range(rig.how_many(150))]
    for case in cases:
        zone_of(chance, case, zone)
    ptrs(chance, zone, cases)
    (scratch / "zone.json").write_text(json.dumps(zone))
    zone_write(scratch / "zone", zone)
    skipped = {}
    differences = rig.Differences(scratch, "pyspf", SETTLED)
    with rig.Judge(BUILD / "test/oracles/judge_spf", scratch / "zone", rig.NOW) as ours, \
            rig.Judge("/usr/bin/python3", HERE / "by_pyspf.py", scratch / "zone.json") as theirs:
        for case in cases:
            for _ in range(2):
                line = question(chance, case)
                our, their = ours.ask(line), theirs.ask(line)
                if "skip" in their:
                    skipped[their["skip"]] = skipped.get(their["skip"], 0) + 1
                    continue
                our["pass"], their["pass"] = our["result"], their["result"]
                differences.compare(Case(line, zone, case), scratch / "zone", 0, our, their)
    if skipped:
        print(f"# pyspf took no part in {skipped}", flush=True)
    differences.end()


CASES = [pyspf]
