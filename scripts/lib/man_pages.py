# SPDX-License-Identifier: Apache-2.0
"""Makes rowtail(1) and rowtail.yaml(5) from docs/commands.md and docs/configuration.md.

  python3 scripts/lib/man_pages.py FOLDER     writes FOLDER/man1/rowtail.1 and FOLDER/man5/rowtail.yaml.5

It knows the Markdown that these pages use, and no more: headings, paragraphs, lists, fenced blocks, tables, code, links.
Tables become lists of terms, as cells of a terminal's width can't be read; a table of keys takes up the list that follows
it and says what each key does. The pages are man(7), for groff and mandoc alike.
"""

import os
import pathlib
import re
import sys
import textwrap
import time

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = "/usr/share/doc/rowtail"

PAGES = {
    "commands.md": ("rowtail", "1", "publish new rows of SQLite tables as Server\\-Sent Events"),
    "configuration.md": ("rowtail.yaml", "5", "configuration of rowtail"),
}


def escape(text):
    return text.replace("\\", "\\e")


def code(text, placeholders=False):
    """Code in bold, so that it can be copied; placeholders, such as FILE, in italics."""
    text = escape(text).replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    if placeholders:
        text = re.sub(r"(?<![\w.$])[A-Z]{2,}(?![\w.])", r"\\fI\g<0>\\fB", text)
    return f"\\fB{text}\\fR".replace("\\fB\\fI", "\\fI").replace("\\fB\\fR", "\\fR")


def link(text, target, headings):
    page, _, _ = target.partition("#")
    if target.startswith("http"):
        return f"{inline(text, headings)} ({target})"
    if not page:
        return text.upper() if text in headings else inline(text, headings)
    if not text.endswith(".md"):
        return inline(text, headings)
    if page in PAGES:
        name, section, _ = PAGES[page]
        return f"\\fB{name}\\fR({section})"
    return f"\\fI{DOCUMENTS}/{page}\\fR"


def inline(text, headings, placeholders=False):
    """The marks within a paragraph."""
    marks = r"``? ?(?P<code>.+?) ?`?`|\[(?P<text>[^]]+)\]\((?P<target>[^)]+)\)|\*\*(?P<bold>.+?)\*\*|\*(?P<italic>[^*]+)\*"
    parts, at = [], 0
    for match in re.finditer(marks, text):
        parts.append(escape(text[at : match.start()]))
        if match["code"] is not None:
            parts.append(code(match["code"], placeholders))
        elif match["text"] is not None:
            parts.append(link(match["text"], match["target"], headings))
        elif match["bold"] is not None:
            parts.append(f"\\fB{inline(match['bold'], headings)}\\fR")
        else:
            parts.append(f"\\fI{inline(match['italic'], headings)}\\fR")
        at = match.end()
    return "".join(parts) + escape(text[at:])


def fill(text):
    """Lines of some length, none of which roff takes for a request."""
    lines = textwrap.wrap(text, 78, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line[0] in ".'" else line for line in lines)


def sentence(text):
    return text if not text or text[-1] in ".:;!?" else f"{text}."


def blocks(text):
    """The page as (kind, content) pairs."""
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        if not line.strip():
            continue
        if line.startswith("```"):
            content = []
            while not lines[0].startswith("```"):
                content.append(lines.pop(0))
            lines.pop(0)
            yield "code", content
        elif line.startswith("#"):
            marks, _, title = line.partition(" ")
            yield f"heading {len(marks)}", title
        elif line.startswith("|"):
            rows = [line]
            while lines and lines[0].startswith("|"):
                rows.append(lines.pop(0))
            cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
            yield "table", (cells[0], cells[2:])
        elif re.match(r"(- |\d+\. )", line):
            items = [line]
            while lines and lines[0].strip():
                following = lines.pop(0)
                if re.match(r"(- |\d+\. )", following):
                    items.append(following)
                else:
                    items[-1] += " " + following.strip()
            yield "list", items
        else:
            while lines and lines[0].strip() and not re.match(r"\||#|```|- |\d+\. ", lines[0]):
                line += " " + lines.pop(0).strip()
            yield "paragraph", line


class Page:
    def __init__(self, source):
        self.name, self.section, self.purpose = PAGES[source]
        path = CHECKOUT / "docs" / source
        self.blocks = list(blocks(path.read_text(encoding="utf-8")))
        self.headings = {title for kind, title in self.blocks if kind == "heading 2"}
        self.keys = {}
        self.lines = []
        seconds = os.environ.get("SOURCE_DATE_EPOCH") or path.stat().st_mtime
        date = time.strftime("%Y-%m-%d", time.gmtime(float(seconds)))
        version = re.search(r'current = "(.*)"', (CHECKOUT / "Sources/rowtail/Version.swift").read_text())[1]
        self.put('.\\" -*- coding: utf-8 -*-', f'.\\" Made from docs/{source}; change it there.')
        self.put(f'.TH {self.name.upper()} {self.section} {date} "rowtail {version}" rowtail')
        # Ragged, and no word broken: keys and commands are to be found and copied.
        self.put(".nh", ".nr HY 0", ".ad l", ".SH NAME", f"{self.name} \\- {self.purpose}", ".SH SYNOPSIS")

    def put(self, *lines):
        self.lines += lines

    def text(self, text, placeholders=False):
        return inline(text, self.headings, placeholders)

    def term(self, names, text):
        for number, name in enumerate(names):
            self.put(".TQ" if number else ".TP", self.text(name, placeholders=True))
        self.put(fill(text[:1].upper() + text[1:]))

    def table(self, head, rows):
        if head[0] == "key":
            self.keys = {row[0].strip("`"): row for row in rows}
            return
        for first, *rest in rows:
            if head[1] == "default":
                text = sentence(self.text(rest[1]))
                if rest[0]:
                    text += f" Default: {sentence(self.text(rest[0]))}"
            else:
                text = sentence(": ".join(self.text(cell) for cell in rest if cell))
            self.term([first], text)
        self.put(".PP")

    def facts(self, key):
        """A key's type, default and range, in half a line."""
        _, kind, standard, allowed = self.keys[key]
        if kind == "section":
            return ""
        kind = kind.replace("`", "").replace("true, false", "true or false")
        facts = [kind[:1].upper() + kind[1:]]
        if standard not in ("", "none"):
            facts.append(f"default {self.text(standard)}")
        if allowed:
            facts.append(self.text(allowed.replace("` `", "`, `")))
        return "; ".join(facts) + "."

    def list(self, items):
        for item in items:
            named = re.match(r"- ((?:`[\w.]+`(?:, )?)+): (.*)", item)
            names = re.findall(r"`([\w.]+)`", named[1]) if named and self.keys else []
            keys = [key for name in names for key in self.keys if key == name or key.endswith(f".{name}")]
            if keys:
                facts = {self.facts(key) for key in keys}
                # Those of several keys are told once, where they are the same.
                several = len(facts) > 1
                for number, key in enumerate(keys):
                    self.put(".TQ" if number else ".TP", code(key) + (f" ({self.facts(key)[:-1]})" if several else ""))
                if not several and any(facts):
                    self.put(fill(facts.pop()), ".br")
                text = self.text(named[2])
                self.put(fill(text[:1].upper() + text[1:]))
            else:
                mark, _, rest = item.partition(" ")
                self.put(".IP \\(bu 2" if mark == "-" else f".IP {mark} 4", fill(self.text(rest)))
        self.put(".PP")

    def make(self):
        content = self.blocks[1:]
        if self.section == "1":
            # The first block of the page.
            for line in content.pop(0)[1]:
                line = re.sub(r"(--[\w-]+|rowtail(?: [a-z]+)*)", r"`\1`", line)
                line = re.sub(r"[A-Z]{2,}", r"*\g<0>*", line)
                self.put(".PP" if self.lines[-1] != ".SH SYNOPSIS" else '.\\"', self.text(line))
        else:
            self.put("\\fI/etc/rowtail/rowtail.yaml\\fR", ".SH DESCRIPTION")
        for kind, block in content:
            if kind == "paragraph":
                self.put(".PP", fill(self.text(block)))
            elif kind == "heading 2":
                self.put(f".SH {escape(block).upper()}")
                self.keys = {}
            elif kind == "heading 3":
                self.put(f".SS {escape(block)}")
            elif kind == "code":
                self.put(".PP", ".RS 4", ".EX")
                for line in block:
                    line = escape(line).replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
                    self.put(f"\\&{line}" if line[:1] in (".", "'", "\\") else line)
                self.put(".EE", ".RE")
            elif kind == "table":
                self.table(*block)
            else:
                self.list(block)
        others = [f"\\fB{name}\\fR({section})" for name, section, _ in PAGES.values() if name != self.name]
        others += ["\\fBsqlite3\\fR(1)", "\\fBsystemd.service\\fR(5)"]
        pages = sorted(path.stem for path in (CHECKOUT / "docs").glob("*.md") if path.name not in PAGES)
        self.put(".SH SEE ALSO", fill(", ".join(others)), ".PP")
        self.put(fill(f"More pages are in \\fI{DOCUMENTS}\\fR: {', '.join(pages)}."))
        # What two blocks say one after the other of the space between them.
        text = re.sub(r"(?m)^\.PP\n(?=\.(PP|SH|SS|TP|IP)\b)", "", "\n".join(self.lines) + "\n")
        return re.sub(r"(?m)^(\.S[HS] .*)\n\.PP$", r"\1", text)


def main():
    folder = pathlib.Path(sys.argv[1])
    for source in PAGES:
        page = Page(source)
        path = folder / f"man{page.section}" / f"{page.name}.{page.section}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page.make(), encoding="utf-8")


main()
