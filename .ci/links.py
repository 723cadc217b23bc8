"""Every link inside a built site leads somewhere, and nothing is loaded from elsewhere; exits 1 with what is wrong.

    python .ci/links.py FOLDER
    python .ci/links.py --self-test   plants each fault in a small site and asserts that it is found
"""
import os
import re
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {('link', 'href'), ('script', 'src'), ('img', 'src'), ('iframe', 'src'), ('source', 'src'), ('object', 'data')}

class Page(HTMLParser):
    "What a page links to, what it loads, and the anchors it has"
    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], {'', '__top'}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == 'id' or (tag, name) == ('a', 'name'): self.anchors.add(value)
            elif (tag, name) == ('a', 'href'): self.links.append(value or '')
            elif (tag, name) in LOADED: self.loads.append(value or '')

def is_outside(link): return bool(urlsplit(link).scheme or urlsplit(link).netloc)

def check(root):
    "What is wrong with the site in folder `root`, and how many pages and links it has"
    files = {str(p) for p in root.rglob('*') if p.is_file()}
    pages = {p: Page(Path(p).read_text(encoding='utf-8')) for p in sorted(files) if p.endswith('.html')}
    faults, count = [], 0
    for path, page in pages.items():
        here = os.path.relpath(path, root)
        faults += [f'{here}: {link} is loaded from elsewhere' for link in page.loads if is_outside(link)]
        for link in [l for l in page.links + page.loads if not is_outside(l)]:
            parts = urlsplit(link)
            target = os.path.normpath(os.path.join(os.path.dirname(path), unquote(parts.path))) if parts.path else path
            if os.path.isdir(target): target = os.path.join(target, 'index.html')
            count += 1
            if here == '404.html' and parts.path.startswith('/'): continue # made for a server's root
            if target not in files: faults.append(f'{here}: the link {link} leads nowhere')
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                faults.append(f'{here}: the link {link} names no place on its page')
    for path in sorted(root.rglob('*.css')):
        for link in re.findall(r'(?:url\(|@import\s+)["\']?(https?:[^"\')]+)', path.read_text(encoding='utf-8')):
            faults.append(f'{path.relative_to(root)}: {link} is loaded from elsewhere')
    return faults, f'{len(pages)} pages, {count:,} links inside the site, {len(faults)} faults'

def self_test():
    "Every fault is found, and nothing where there is none"
    good = '<p id="here"><a href="#here">x</a><a href="b/c.html#there">x</a><a href="https://x.org">x</a>'
    bad = {'d.html leads nowhere': '<a href="d.html">x</a>', 'no.png leads nowhere': '<img src="no.png">',
           '#where names no place': '<a href="#where">x</a>', 'c.html#no names no place': '<a href="b/c.html#no">x</a>',
           'y.js is loaded from elsewhere': '<script src="//x.org/y.js">'}
    for text, page in {'': good, **bad}.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            (root/'b').mkdir()
            (root/'a.html').write_text(page)
            (root/'b/c.html').write_text('<a name="there" href="../a.html">x</a>')
            faults, _ = check(root)
        assert len(faults) == bool(text) and text in ''.join(faults), (text, faults)

def main():
    if '--self-test' in sys.argv: return self_test()
    faults, note = check(Path(sys.argv[1]).resolve())
    print('\n'.join([*faults, note]))
    sys.exit(bool(faults))

if __name__ == '__main__': main()
