"""Write the pages of `make docs` into _proc: every notebook with the outputs it has, and the API of every module.

    python .ci/pages.py && mkdocs build -f _proc/mkdocs.yml && python .ci/links.py _docs

The API is read from signatures, docstrings and docments; a method that `@patch` adds stands under its class, wherever
it was written. All pages are plain markdown, formulas MathML: no script has to be loaded to show them."""
import base64
import html
import importlib
import inspect
import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import nbformat
from fastcore.docments import docments
from latex2mathml.converter import convert

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT/'nbs'
PAGES = ROOT/'_proc/pages'
STAGES = {'00': 'Images and ground work', '01': 'Networks', '02': 'Attacks', '03': 'Responses and the mu-Lasso',
          '04': 'Relevant units, files, contract', '05': 'Detectors', '06': 'Other detectors', '07': 'Inspection',
          '08': 'Experiments', '09': 'Command line'}
LISTED = r'[-*] |\d+\. |\|' # how a line of a list or a table begins
FOLDERS = {'tutorials': 'Tutorials', 'studies': 'Studies', 'results': 'Results'}

# ---- what there is

@dataclass
class Module:
    "A module of the library: its name, the notebook that writes it, and the module itself"
    name: str
    notebook: str
    module: object

    @cached_property
    def lines(self): return inspect.getsource(self.module).splitlines()

    @property
    def names(self): return [n for n in self.module.__all__ if hasattr(self.module, n)]

    def cell(self, line):
        "Page and anchor of the notebook's cell that holds line `line` of the module"
        marks = (m for l in reversed(self.lines[:line]) if (m := re.match(r'# %% \.\./nbs/(\S+)\.ipynb #(\w+)', l)))
        mark = next(marks)
        return f'{mark[1]}.md#cell-{mark[2]}'

def notebooks():
    "Paths of all notebooks below nbs, as they are named in links"
    paths = sorted(p.relative_to(NBS) for p in NBS.rglob('*.ipynb'))
    return [p for p in paths if not any(part[0] in '._' for part in p.parts)]

def read_modules():
    "Every module, by name, in the order of the notebooks"
    found = {}
    for path in notebooks():
        names = re.findall(r'"#\s*\|\s*default_exp (\w+)', (NBS/path).read_text())
        for n in names: found[n] = Module(n, path.stem, importlib.import_module(f'relneuron.{n}'))
    return found

def places(modules):
    "Where a name is explained: name -> 'module.html#name', if one module exports it and no class has it as a method"
    counts = Counter(n for m in modules.values() for n in m.names)
    classes = [o for m in modules.values() for n in m.names if inspect.isclass(o := getattr(m.module, n))]
    counts.update(method for cls in classes for method, _, _ in own_methods(cls))
    known = {f'relneuron.{m}': f'{m}.html' for m in modules}
    return known | {n: f'{m.name}.html#{n}' for m in modules.values() for n in m.names if counts[n] == 1}

# ---- markdown

def fence(text, *marks):
    "`text` as a block of code"
    ticks = '`'*max([3, *(len(t) + 1 for t in re.findall('`{3,}', text))])
    return f'{ticks} {{ {" ".join(marks)} }}\n{text}\n{ticks}'

def parts(text):
    "(is it code?, piece) for the pieces of `text`: blocks and spans of code, and what lies between"
    pieces = re.split(r'(^ *```.*?^ *```|`[^`\n]+`)', text, flags=re.M | re.S)
    yield from ((i % 2 == 1, piece) for i, piece in enumerate(pieces))

def plain(text):
    "`text` from a docstring, with no sign in it that markdown would take for its own"
    def escape(piece): return re.sub(r'([*_\[\]])', r'\\\1', html.escape(piece, quote=False)).replace('|', '&#124;')
    return ''.join(piece if code else escape(piece) for code, piece in parts(text))

def link_names(text, known, here):
    "Names in backticks become links to where they are explained; `here`: path from the page to the API's folder"
    def link(match):
        name = match[1].removesuffix('()')
        return f'[{match[0]}]({here}{known[name].replace(".html", ".md")})' if name in known else match[0]
    return re.sub(r'(?<![\[`])`([\w.]+(?:\(\))?)`(?![\]`])', link, text)

def anchor(heading):
    "The anchor that Jupyter gives a heading"
    text = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading).replace('`', '')
    return text.strip().replace(' ', '-')

def formula(match):
    "LaTeX as MathML, which browsers show by themselves"
    text = match[2].strip().replace(r'\arg\min', r'\text{arg min}')
    return convert(text, display='block' if match[1] == '$$' else 'inline')

def prose(text, known, depth):
    "A markdown cell as a page shows it"
    out = []
    for block in re.split(r'(^```.*?^```$)', text, flags=re.M | re.S):
        if block.startswith('```'):
            out.append(block)
            continue
        block = re.sub(r'(\]\((?!https?:)[^)\s]*?)\.ipynb', r'\1.md', block)
        block = re.sub(r'\]\((\w+)\)', r'](\1/index.md)', block) # a folder
        block = re.sub(r'(\$\$?)(?=[^\s$])([^$`]+)\1', formula, block)
        block = re.sub(rf'^(?!{LISTED})(\S.*\n)(?={LISTED})', r'\1\n', block, flags=re.M) # an empty line before a list
        lines = [l if l.startswith('#') else link_names(l, known, '../'*depth + 'api/') for l in block.split('\n')]
        lines = [re.sub(r'^(#+ )(.*)$', lambda m: f'{m[1]}{m[2]} {{ #{anchor(m[2])} }}', l) for l in lines]
        out.append('\n'.join(lines))
    return ''.join(out)

# ---- notebooks

def table(text):
    "An HTML table without pandas' own looks"
    text = re.sub(r'<style.*?</style>', '', text, flags=re.S)
    return re.sub(r' (?:border|class|style)="[^"]*"', '', text)

def shown(output, picture):
    "One stored output; `picture`: a path for its picture and the link to it"
    data = output.get('data', {})
    if output.output_type == 'stream': return fence(output.text.rstrip('\n'), '.text', '.output', 'data-search-exclude')
    if 'image/png' in data:
        path, link = picture
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data['image/png']))
        return f'![output]({link}){{ loading=lazy }}'
    if 'text/markdown' in data: return data['text/markdown']
    if '<table' in data.get('text/html', '') and '<script' not in data['text/html']: return table(data['text/html'])
    return fence(data.get('text/plain', ''), '.text', '.output', 'data-search-exclude')

def code(cell, path):
    "A code cell, if it is to be seen, and what it has left"
    flags = set(re.findall(r'^#\s*\|\s*([\w-]+)', cell.source, flags=re.M))
    source = re.sub(r'^#\s*\|.*\n?', '', cell.source, flags=re.M).strip('\n')
    if 'hide' in flags or not source: return
    exported = bool(flags & {'export', 'exporti'})
    marks = [f'#cell-{cell.id}', '.exported'] if exported else []
    if 'echo' not in flags: yield fence(source, '.python', *marks)
    for i, output in enumerate(cell.outputs):
        name = f'{path.stem}_files/{cell.id}_{i}.png'
        yield shown(output, (PAGES/path.parent/name, name))

def notebook_page(path, known):
    "The page of one notebook; title and subtitle"
    nb = nbformat.read(NBS/path, 4)
    text = '\n'.join(c.source for c in nb.cells)
    module = next(iter(re.findall(r'^#\s*\|\s*default_exp (\w+)', text, flags=re.M)), '')
    out = []
    for cell in nb.cells:
        if cell.cell_type == 'markdown': out.append(prose(cell.source, known, len(path.parts) - 1))
        elif cell.cell_type == 'code': out += code(cell, path)
    page = PAGES/path.with_suffix('.md')
    page.parent.mkdir(parents=True, exist_ok=True)
    note = f'Cells with an edge are the module `relneuron.{module}`: [its API](api/{module}.md).\n{{ .origin }}'
    if module: out.insert(1, note)
    page.write_text('\n\n'.join(out) + '\n')
    title = re.search(r'^# (.+)$', text, flags=re.M)
    subtitle = re.search(r'^> (.+)$', text, flags=re.M)
    return (title[1] if title else path.stem), (prose(subtitle[1], known, len(path.parts) - 1) if subtitle else '')

# ---- API

def type_text(kind):
    "A type as it is written, without the modules it comes from; '' where there is none"
    if kind in (inspect.Parameter.empty, None, type(None)): return ''
    text = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    return re.sub(r'\b(?:\w+\.)+(?=\w)', '', text)

def default_text(value):
    "A default as it is written; '' where there is none"
    if value is inspect.Parameter.empty: return ''
    text = value.__name__ if hasattr(value, '__name__') else repr(value)
    return '...' if ' at 0x' in text or text.startswith('<') else text if len(text) < 50 else text[:47] + '...'

def code_cell(text, known, here=''):
    "Code in a table, its names linked"
    names = re.split(r'(\w+)', text)
    linked = [f'<a href="{known[n]}">{n}</a>' if known.get(n) not in (None, here) else html.escape(n) for n in names]
    return f'<code>{"".join(linked)}</code>'.replace('|', '&#124;') if text else ''

def argument_table(f, known):
    "What `f` takes and returns, from its docments"
    try: docs = docments(f, full=True, returns=True)
    except (TypeError, ValueError): return ''
    source = inspect.getsource(f) if inspect.isfunction(f) else ''
    if others := re.search(r'^ +\*\*(\w+) # (.+)$', source, flags=re.M): # docments gives this comment to the return
        said = re.search(r'^\) -> .*: # (.+)$', source, flags=re.M)
        docs[others[1]]['docment'], docs['return']['docment'] = others[2], said[1] if said else None
    stars = {inspect.Parameter.VAR_POSITIONAL: '*', inspect.Parameter.VAR_KEYWORD: '**'}
    rows = []
    for name, d in docs.items():
        if name in ('self', 'cls') or name == 'return' and inspect.isclass(f): continue
        kind = type_text(d['anno'])
        meaning = link_names(plain(' '.join((d['docment'] or '').split())), known, '')
        if name == 'return' and not (kind or meaning): continue
        first = '**returns**' if name == 'return' else f'`{stars.get(d.get("kind"), "")}{name}`'
        rows.append([first, code_cell(kind, known), code_cell(default_text(d['default']), {}), meaning])
    keep = [0] + [i for i in (1, 2, 3) if any(r[i] for r in rows)]
    if len(keep) == 1: return ''
    head = [['argument', 'type', 'default', 'meaning'], ['---']*4]
    return '\n'.join(f'| {" | ".join(row[i] for i in keep)} |' for row in head + rows)

def call_text(name, f):
    "`name` and its arguments, without types"
    try: arguments = inspect.signature(f).parameters.values()
    except (TypeError, ValueError): return name
    keep = [p.replace(annotation=inspect.Parameter.empty) for p in arguments if p.name not in ('self', 'cls')]
    texts, star = [], False
    for p in keep:
        if p.kind is p.KEYWORD_ONLY and not star: texts.append('*')
        star = star or p.kind in (p.VAR_POSITIONAL, p.KEYWORD_ONLY)
        texts.append(str(p.replace(default=p.empty)) + ('' if p.default is p.empty else f'={default_text(p.default)}'))
    one = f'{name}({", ".join(texts)})'
    return one if len(one) < 100 else f'{name}(\n    ' + ',\n    '.join(texts) + ')'

def anchor_of(name): return name.replace('__', '') # markdown would read Detector.__repr__ as bold

def document(level, name, obj, modules, known, note=''):
    "Heading, call, docstring and arguments of a function, method or class"
    inner = inspect.unwrap(getattr(obj, '__func__', getattr(obj, 'fget', None) or obj))
    module = modules.get(getattr(inner, '__module__', '').removeprefix('relneuron.'))
    line = inspect.getsourcelines(inner)[1] if inspect.isclass(inner) else inner.__code__.co_firstlineno
    origin = f'[{module.notebook}](../{module.cell(line)}){{ .source }}' if module else ''
    call = '' if isinstance(obj, property) else fence(call_text(name, inner), '.python')
    words = link_names(plain(inspect.cleandoc(obj.__doc__ or '')), known, '')
    if (obj.__doc__ or '').startswith(f'{name}('): words = '' # written by dataclass
    table = argument_table(inner, known)
    label = name[max(0, name.find('.')):].replace('__', '&#95;&#95;')
    heading = f'{"#"*level} `{name}`{note} {{ #{anchor_of(name)} data-toc-label="{label}" }}'
    return '\n\n'.join(filter(None, [heading, call, f'{origin} {words}', table]))

def own_methods(cls):
    "(name, method, note) of the methods a reader is told of: public ones, and special ones that have a docstring"
    for name, value in vars(cls).items():
        f = getattr(value, '__func__', getattr(value, 'fget', None) or value)
        if not inspect.isfunction(f) or not f.__module__.startswith('relneuron.'): continue # some are dataclass's
        if name == '__init__' or name.startswith('_') and not (name.endswith('__') and f.__doc__): continue
        yield name, value, {'classmethod': ' (of the class)', 'property': ' (property)'}.get(type(value).__name__, '')

def document_class(cls, modules, known):
    "A class and its methods"
    yield document(2, cls.__name__, cls, modules, known)
    bases = [code_cell(b.__name__, known) for b in cls.__bases__ if b is not object]
    above = [b for b in reversed(cls.__mro__[1:]) if b.__name__ in known]
    theirs = {n: b for b in above for n, _, _ in own_methods(b) if n[0] != '_' and n not in vars(cls)}
    links = [f'<a href="{known[b.__name__]}.{n}"><code>{n}</code></a>' for n, b in theirs.items()]
    if bases: yield f'A kind of {", ".join(bases)}{"; from there: " if links else ""}{" ".join(links)}.'
    for name, value, note in own_methods(cls): yield document(3, f'{cls.__name__}.{name}', value, modules, known, note)

def row_of(name, obj, file=''):
    "A row of the table at a page's top"
    what = summary(obj) if hasattr(obj, '__module__') else ''
    return f'| <a href="{file}#{anchor_of(name)}"><code>{name}</code></a> | {what} |'

def added_elsewhere(module, modules, known):
    "Methods that this module adds to classes of others"
    classes = [getattr(m.module, n) for m in modules.values() for n in m.names if m is not module]
    for cls in (c for c in classes if inspect.isclass(c) and c.__module__ != module.module.__name__):
        for name, value, _ in own_methods(cls):
            f = getattr(value, '__func__', getattr(value, 'fget', None) or value)
            if f.__module__ != module.module.__name__: continue
            file = known[cls.__name__].split('#')[0]
            yield row_of(f'{cls.__name__}.{name}', f, file)

def summary(obj):
    "First line of a docstring, for a table"
    own = obj.__doc__ if callable(obj) or isinstance(obj, (property, ModuleType)) else ''
    return plain((own or '').strip().split('\n')[0])

def api_page(module, modules, known):
    "The page of one module"
    out = [f'# relneuron.{module.name}', f'> {summary(module.module)}',
           f'Explained, exported and tested in the notebook [{module.notebook}](../{module.notebook}.md).']
    objects = {n: getattr(module.module, n) for n in module.names}
    rows = [row_of(name, obj) for name, obj in objects.items()]
    added = list(dict.fromkeys(added_elsewhere(module, modules, known)))
    if rows + added: out.append('\n'.join(['| name | what it is |', '| --- | --- |', *rows, *added]))
    for name, obj in objects.items():
        if inspect.isclass(obj): out += document_class(obj, modules, known)
        elif inspect.isfunction(inspect.unwrap(obj)): out.append(document(2, name, obj, modules, known))
        else: out.append(f'## {name} {{ #{name} }}\n\n' + fence(f'{name} = {shorten(obj)}', '.python'))
    (PAGES/'api').mkdir(parents=True, exist_ok=True)
    (PAGES/f'api/{module.name}.md').write_text('\n\n'.join(out) + '\n')

def shorten(value, width=400):
    "A value as it is written, cut where it is long"
    text = repr(value)
    return text if len(text) < width else text[:width] + ' ...'

# ---- the whole

def table_of(folder, title, rows):
    "A page that lists the pages of a folder"
    lines = [f'| [{name}]({file}) | {what} |' for name, file, what in rows]
    (PAGES/folder).mkdir(parents=True, exist_ok=True)
    text = '\n'.join([f'# {title}', '', '| page | what it holds |', '| --- | --- |', *lines])
    (PAGES/folder/'index.md').write_text(text + '\n')
    return [f'{folder}/index.md', *({name: f'{folder}/{file}'} for name, file, _ in rows)]

def main():
    shutil.rmtree(PAGES.parent, ignore_errors=True)
    modules = read_modules()
    known = places(modules)
    by_name = known | {name: f'{name}.html' for name in modules} # as the index calls modules
    titles = {path: notebook_page(path, by_name if path.name == 'index.ipynb' else known) for path in notebooks()}
    for m in modules.values(): api_page(m, modules, known)
    top = [p for p in titles if len(p.parts) == 1]
    stages = {group: [] for group in STAGES.values()}
    for p in (p for p in top if p.stem[:2] in STAGES):
        stages[STAGES[p.stem[:2]]].append({f'{p.stem.split("_")[0]} {titles[p][0]}': f'{p.stem}.md'})
    nav = [{'relneuron': 'index.md'}, {'Stages': [{group: pages} for group, pages in stages.items() if pages]}]
    for folder, title in FOLDERS.items():
        rows = [(titles[p][0], p.with_suffix('.md').name, titles[p][1]) for p in titles if p.parts[0] == folder]
        if rows: nav.append({title: table_of(folder, title, rows)})
    nav.append({'API': table_of('api', 'API', [(m.name, f'{m.name}.md', summary(m.module)) for m in modules.values()])})
    nav += [{titles[p][0]: f'{p.stem}.md'} for p in top if p.stem[:2] not in STAGES and p.stem != 'index']
    (PAGES/'assets').mkdir()
    for name in ('iframe-worker.js', 'site.css'): shutil.copy(ROOT/'.ci'/name, PAGES/'assets')
    settings = dict(INHERIT='../.ci/mkdocs.yml', docs_dir='pages', site_dir='../_docs', nav=nav)
    (PAGES.parent/'mkdocs.yml').write_text(json.dumps(settings, indent=1)) # JSON is YAML
    print(f'{len(titles)} notebooks and {len(modules)} modules')

if __name__ == '__main__': main()
