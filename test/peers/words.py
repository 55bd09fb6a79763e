"""words -- what the documentation says besides its blocks: each command that it names
is one, with these options, and each key of the configuration is a key."""
import pathlib
import re

import page
from rig import HERE, expect

TOP = HERE.parent.parent


def commands():
    """Each command's words, and what may stand behind them."""
    rows = re.findall(r'(?m)^COMMAND\("([^"]+)",\s*\w+,\s*((?:"[^"]*"\s*)+),', (TOP / "src/cli/verb.def").read_text())
    return {name: usage for name, usage in rows}


def command(word, known):
    """Of "nightmail queue list --json": there is such a command, or there are several."""
    said = word.split()[1:]
    name = next((n for n in (" ".join(said[:2]), said[0]) if n in known), None)
    if name is None:
        expect(len(said) == 1 and any(n.startswith(said[0] + " ") for n in known) or said[0] == "sendmail",
               f"'{word}' is no command")
        return
    if "FILTER" not in known[name]:
        strange = [o for o in said if o.startswith("--") and o not in known[name]]
        expect(not strange, f"'{word}': there is no {strange}")


def keys():
    return set(re.findall(r'(?m)^(?:KEY|SECTION|EACH|SAME|LATER)\("([^"]+)"', (TOP / "src/policy/conf.def").read_text()))


def keys_of(words, sections):
    """What looks like keys: a section of ours, and more behind dots."""
    for word in words:
        key = re.match(r"([a-z_]+(?:\[\])?(?:\.[A-Za-z_*]+)+)(?=$|:)", word)
        if key and not re.search(r"\.(c|h|def|py)$", key[1]) and key[1].split(".")[0].removesuffix("[]") in sections and not pathlib.Path(TOP / word).exists():
            yield re.sub(r"^(domains|accounts|tenants)\.(D|b\.org|\*)\.", r"\1.*.", key[1])


def known(text, name="page.md"):
    words = [" ".join(w.split()) for s in page.parse(name, text) for w in re.findall(r"`([^`]+)`", s.words)]
    verbs = commands()
    for word in words:
        if re.match(r"nightmail [a-z]", word):
            command(word, verbs)
    there = keys()
    for key in keys_of(words, {k.split(".")[0].removesuffix("[]") for k in there}):
        expect(key in there, f"'{key}' is no key")
