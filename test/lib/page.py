"""page -- what a page of the documentation tells its reader to do.

    for section in page.read(path):
        section.heading, section.steps

A step is one of these; the fence's word, or the line before the fence, says which:

    file PATH      a file's contents, after "The file `PATH`:"
    part           yaml without such a line: goes into the configuration
    sh             each line a command
    beside         sh after "In a terminal of its own:", which goes on while the rest is done
    console        each line with "$ " a command, and what it says below
    until TEXT     before sh, "When that says `TEXT`:": the command before it, again and again
    settled        before a fence, "A moment later:"
    shown          text: what one sees there, told by no command

Of manual pages these are .Dl, with a $ for a command, and the literal displays.  A
block that is only indented has no word, so there must be none.
"""
import re
import typing

FENCE = re.compile(
    r"(?ms)(?:^(?P<before>[^\n]*(?:[Tt]he file `(?P<path>[^`\n]+)`:|[Ww]hen that says `(?P<says>[^`\n]+)`:|"
    r"A moment later:|[Ii]n a terminal of its own:))\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$")
INDENTED = re.compile(r"(?m)(?:\A|^\n)((?: {4}|\t).*)$")


class Step(typing.NamedTuple):
    kind: str
    what: str = ""
    text: str = ""


class Section(typing.NamedTuple):
    heading: str
    steps: list
    words: str          # without the fences


def console(text):
    """Its commands, each with what it says."""
    for part in re.split(r"(?m)^\$ ", text)[1:]:
        command, _, said = part.partition("\n")
        yield Step("console", command, said)


def fence(m):
    """The steps of one."""
    kind, text, before = m["kind"], m["text"], m["before"] or ""
    if m["path"]:
        return [Step("file", m["path"], text)]
    first = [Step("until", m["says"])] if m["says"] else [Step("settled")] * before.endswith("A moment later:")
    if kind == "console":
        return first + list(console(text))
    if kind == "sh":
        word = "beside" if before.endswith("of its own:") else "sh"
        return first + [Step(word, line) for line in text.splitlines() if line.strip()]
    return first + [Step({"yaml": "part", "text": "shown"}.get(kind, f"fence of kind '{kind}'"), "", text)]


def markdown(text):
    for part in re.split(r"(?m)^## ", "## \n" + text)[1:]:
        heading, _, body = part.partition("\n")
        steps = [step for m in FENCE.finditer(body) for step in fence(m)]
        words = FENCE.sub("", body)
        steps += [Step("block without a fence", m[1].strip()) for m in INDENTED.finditer(words)]
        yield Section(heading.strip(), steps, words)


def plain(text):
    """What mdoc(7) prints of a line of a literal display."""
    for form, letter in (("\\e", "\\"), ("\\(dq", '"'), ("\\&", ""), ("\\-", "-"), ("\\(aq", "'")):
        text = text.replace(form, letter)
    return text


def manual(text):
    display = re.compile(r"(?ms)^\.Dl (?P<line>[^\n]*)$|^\.Bd -literal[^\n]*\n(?P<text>.*?)^\.Ed$")
    for part in re.split(r"(?m)^\.Sh ", text)[1:]:
        heading, _, body = part.partition("\n")
        steps = []
        for m in display.finditer(body):
            shown = plain(m["line"] or m["text"])
            if m["line"] and shown.startswith("$ "):
                steps.append(Step("sh", shown[2:]))
            elif re.match(r"[a-z_]+:( |$)", shown):
                steps.append(Step("part", "", shown))
            else:
                steps.append(Step("shown", "", shown))
        yield Section(heading, steps, display.sub("", body))


def parse(name, text):
    return list((markdown if name.endswith(".md") else manual)(text))


def read(path):
    return parse(path.name, path.read_text())


def is_as(said, shown):
    """Whether a command said what the page shows: there "..." is whatever, at the
    end of a line or for whole lines, a time or an id is any, and sentences are folded."""
    def lines(text):
        text = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z?", "TIME", text)
        text = re.sub(r" *\n  (?=\w)", " ", text)
        return [line.rstrip() for line in re.sub(r"\b[0-9A-Z]{13}\b", "ID", text).rstrip("\n").split("\n")]
    pattern = "\n".join(re.escape(line).replace(r"\.\.\.", ".*") for line in lines(shown))
    return re.fullmatch(pattern, "\n".join(lines(said)), re.S) is not None
