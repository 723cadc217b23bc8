"""Faults that neither nbdev nor a run notices, each named with its notebook and cell; exits 1 where there is one.

    python .ci/check.py               all notebooks under nbs/ and modules under relneuron/
    python .ci/check.py --self-test   plants each fault in a small project and asserts that it is found

Refused: a stored output with stderr, an error or a path of the machine; printed lines that the runner loses; imports
mixed with other code; random numbers without a seed; a module that imports an underscore name or a later stage;
circles; links that lead nowhere, and notebooks that the index does not name.
Only counted: long lines and chained statements.
"""
import ast
import builtins
import io
import os
import re
import sys
import tempfile
import tokenize
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import nbformat

WIDTH = 120 # characters in a line of code
SETUP = 4 # lines of set-up that may follow a hidden cell's imports
DRAWS = {'rand', 'randn', 'rand_like', 'randn_like', 'randint', 'randperm', 'bernoulli', 'multinomial', 'normal'}
LAYERS = {'Linear', 'Conv2d', 'Embedding', 'LeNet', 'DenseNet'} # their weights are drawn
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
FOLDERS = 'home|root|work|tmp|usr|opt|var|mnt|srv|private|Users'
MACHINE_PATH = re.compile(rf'(?<![\w.~-])(?:/(?:{FOLDERS})|[A-Z]:\\Users)\b[^\s\'"<>]*')

@dataclass
class Cell:
    "One code cell: where it stands, its flags, its source as text and as a tree, its stored outputs"
    where: str
    flags: set
    source: str
    tree: ast.Module
    outputs: list

# ---- reading

def python(source):
    "`source` without IPython's magic lines"
    if source.lstrip().startswith('%%'): return ''
    return re.sub(r'^(\s*)[%!].*$', r'\1pass', source, flags=re.M)

def read_cells(path, root):
    "The code cells of one notebook"
    for i, c in enumerate(nbformat.read(path, 4).cells):
        if c.cell_type != 'code': continue
        where = f'{path.relative_to(root)} [{i}] {c.get("id", "")}'
        flags = set(re.findall(r'^#\s*\|\s*([\w-]+)', c.source, flags=re.M))
        try: tree = ast.parse(python(c.source))
        except SyntaxError as e: sys.exit(f'{where}: {e}')
        yield Cell(where, flags, c.source, tree, c.outputs)

def read_notebooks(root):
    "The code cells of every notebook, in the order of the notebooks' paths"
    paths = sorted((root/'nbs').rglob('*.ipynb'))
    return {p: list(read_cells(p, root)) for p in paths if not any(s[0] in '._' for s in p.relative_to(root).parts)}

def exports_to(cells):
    "Name of the module that a notebook writes, or None"
    names = [re.search(r'^#\s*\|\s*default_exp\s+(\S+)', c.source, flags=re.M) for c in cells]
    return next((m[1] for m in names if m), None)

def read_modules(root):
    "Source of every module but nbdev's own files"
    paths = sorted((root/'relneuron').glob('*.py'))
    return {p.stem: p.read_text() for p in paths if p.stem not in ('__init__', '_modidx')}

# ---- walking trees

def outside_functions(tree):
    "The nodes of `tree` that run when it runs: all but the bodies of functions, lambdas and classes"
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, FUNCTIONS): yield from outside_functions(node)

def is_import(node): return isinstance(node, (ast.Import, ast.ImportFrom))

def imports(tree):
    "(line, module, name) of all that `tree` imports from relneuron, in functions too; name None: the module itself"
    for node in filter(is_import, ast.walk(tree)):
        package = 'relneuron.' if getattr(node, 'level', 0) else ''
        for alias in node.names:
            if isinstance(node, ast.Import): parts = alias.name.split('.')
            else: parts = [*f'{package}{node.module or ""}'.strip('.').split('.'), alias.name]
            if parts[0] != 'relneuron' or len(parts) < 2 or parts[1].startswith('__'): continue
            yield node.lineno, parts[1], parts[2] if len(parts) > 2 else None

def bound_names(tree):
    "The names that the top level of `tree` binds"
    for node in tree.body:
        if is_import(node): yield from (a.asname or a.name.split('.')[0] for a in node.names)
        elif isinstance(node, FUNCTIONS): yield node.name
        else: yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))

# ---- rules for a cell: each yields what is wrong

def stored_output(cell):
    "No stderr, no error, no path of the machine"
    for o in cell.outputs:
        if o.output_type == 'error': yield f'a stored error, {o.ename}'
        if o.get('name') == 'stderr': yield f'stored stderr, {o.text.strip()[:60]!r}'
        data = {k: v for k, v in o.get('data', {}).items() if k.startswith('text/') or k.endswith(('svg+xml', 'json'))}
        for text in [o.get('text', ''), '\n'.join(o.get('traceback', [])), *map(str, data.values())]:
            if m := MACHINE_PATH.search(text): yield f'a path of the machine in a stored output, {m[0]!r}'

def lost_print(cell):
    "execnb drops what a cell printed if the cell ends in `;`"
    calls = (n for n in outside_functions(cell.tree) if isinstance(n, ast.Call))
    if cell.source.rstrip().endswith(';') and any(getattr(n.func, 'id', '') == 'print' for n in calls):
        yield 'it prints and ends in `;`: the runner loses the printed lines'

def is_setup(node, known):
    "A line such as `device = ...`, `tmp = ...` or a seed, which reads `known` names only"
    if node.lineno != node.end_lineno: return False
    plain = isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets)
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return (plain or call) and read <= known

def mixed_imports(cell, exported, stage):
    """Import cells hold imports only: nbdev's documentation runs every cell with an import, and no example before it.
    A hidden cell (in studies and results any cell) may end in a few lines of set-up that read only what documentation
    knows: this cell's own names, names from exported cells, builtins."""
    others = [n for n in cell.tree.body if not is_import(n)]
    if not others or not any(map(is_import, outside_functions(cell.tree))): return
    if stage and 'hide' not in cell.flags:
        yield 'imports and other code in one cell'
        return
    known = exported | set(bound_names(cell.tree)) | set(dir(builtins))
    unfit = [n for n in others if not is_setup(n, known)]
    if unfit: yield f'imports and other code in one cell, {ast.unparse(unfit[0]).splitlines()[0][:60]!r}'
    elif len(others) > SETUP: yield f'more than {SETUP} lines of set-up after the imports'
    elif others != cell.tree.body[-len(others):]: yield 'imports after other code'

def private_names(tree):
    "Underscore names taken from another module"
    modules = set()
    for line, module, name in imports(tree):
        if name is None: modules.add(module)
        elif name.startswith('_') and not name.startswith('__'): yield line, f'imports {name} from relneuron.{module}'
    for n in ast.walk(tree):
        if isinstance(n, ast.Attribute) and n.attr.startswith('_') and not n.attr.startswith('__'):
            if isinstance(n.value, ast.Name) and n.value.id in modules: yield n.lineno, f'uses {n.value.id}.{n.attr}'

def draws(call):
    "The name of what a call draws from torch's own generator, or nothing"
    name, of = getattr(call.func, 'attr', getattr(call.func, 'id', '')), getattr(call.func, 'value', None)
    own = getattr(of, 'id', '') == 'torch' and all(k.arg != 'generator' for k in call.keywords)
    return name if name in LAYERS or name in DRAWS and own else ''

def unseeded(cells):
    "nbdev_test runs several notebooks in one process: what a seed does not set depends on those that ran before"
    for cell in cells:
        if cell.flags & {'slow', 'bench', 'models', 'export', 'exporti'}: continue # no test, or only where it is asked for
        calls = [n for n in ast.walk(cell.tree) if isinstance(n, ast.Call)]
        if any(getattr(n.func, 'attr', '') == 'manual_seed' for n in calls): return
        if found := [*filter(None, map(draws, calls))]:
            yield f'{cell.where}: {found[0]} draws numbers, and no cell up to here sets a seed'

def check_notebook(cells):
    "Faults of one notebook"
    stage = exports_to(cells) is not None
    exported = set()
    yield from unseeded(cells)
    for cell in cells:
        faults = [*stored_output(cell), *lost_print(cell), *mixed_imports(cell, exported, stage)]
        if not cell.flags & {'export', 'exporti'}: faults += [text for _, text in private_names(cell.tree)]
        else: exported |= set(bound_names(cell.tree))
        yield from (f'{cell.where}: {f}' for f in faults)

# ---- rules for modules

def place(source, line):
    "The notebook and cell that a module's line comes from"
    marks = [s for s in source.splitlines()[:line] if s.startswith('# %%')]
    return marks[-1].removeprefix('# %% ../') if marks else ''

def check_modules(sources, order):
    "Faults of the modules; `order`: their names in the order of the notebooks"
    uses = {}
    for name, source in sources.items():
        tree = ast.parse(source)
        faults = list(private_names(tree))
        uses[name] = {module for _, module, _ in imports(tree)}
        if name not in order: faults.append((1, 'no notebook writes this module'))
        for line, module, _ in imports(tree):
            if module not in sources: faults.append((line, f'imports {module}, which does not exist'))
            elif {module, name} <= set(order) and order.index(module) >= order.index(name):
                faults.append((line, f'imports {module}, whose notebook does not stand before its own'))
        for line, text in dict.fromkeys(faults): yield f'relneuron/{name}.py:{line} ({place(source, line)}): {text}'
    try: TopologicalSorter(uses).prepare()
    except CycleError as e: yield 'a circle of imports: ' + ' <- '.join(e.args[1])

# ---- what is only counted

def long_lines(cell): return sum(len(line) > WIDTH for line in cell.source.splitlines())

def chained(cell):
    "Statements joined by `;`"
    tokens = list(tokenize.generate_tokens(io.StringIO(python(cell.source)).readline))
    ends = (tokenize.COMMENT, tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER)
    return sum(a.string == ';' and a.type == tokenize.OP and b.type not in ends for a, b in zip(tokens, tokens[1:]))

def markdown(path): # text of a notebook's markdown cells
    return '\n'.join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == 'markdown')

def headings(text):
    "The anchors that Jupyter gives to the headings in `text`"
    prose = re.sub(r'^```.*?^```', '', text, flags=re.M | re.S)
    return {re.sub(r'`|\[|\]\([^)]*\)', '', h).strip().replace(' ', '-') for h in re.findall(r'^#+ (.+)$', prose, flags=re.M)}

def check_links(root, paths):
    "Links that lead nowhere, and notebooks that the index does not name"
    texts, index = {p: markdown(p) for p in paths}, root/'nbs'/'index.ipynb'
    for path, text in texts.items():
        for link in re.findall(r'\]\((?!https?:)([^)\s]+)', text):
            file, _, place = link.partition('#')
            target = Path(os.path.normpath(path.parent/file)) if file else path
            if not target.exists(): yield f'{path.relative_to(root)}: the link {file} leads nowhere'
            elif place and place not in headings(texts.get(target, '')):
                yield f'{path.relative_to(root)}: the link {link} names no heading'
    for path in paths:
        name = path.relative_to(root/'nbs').as_posix()
        if index in texts and path != index and f'({name})' not in texts[index]: yield f'nbs/index.ipynb: {name} is not named'

def check(root):
    "All faults, and a line that counts what is not refused"
    notebooks = read_notebooks(root)
    order = [name for name in map(exports_to, notebooks.values()) if name]
    faults = [f for cells in notebooks.values() for f in check_notebook(cells)]
    faults += [*check_modules(read_modules(root), order), *check_links(root, list(notebooks))]
    every = [c for cells in notebooks.values() for c in cells]
    wide = sum(long_lines(c) for c in every if c.flags & {'export', 'exporti'})
    note = f'{wide} exported lines over {WIDTH} characters, {sum(map(chained, every))} statements chained with `;`'
    return faults, f'{len(notebooks)} notebooks, {len(faults)} faults; not refused: {note}'

# ---- self-test

def plant(root, cells=(), outputs=(), first='', second='', index=''):
    """A small project of two stages, `first` and `second`, with their modules' code, and an index if it has text.
    `cells` go into the second's notebook, `outputs` into the last of them."""
    for folder in ('nbs', 'relneuron'): (root/folder).mkdir()
    for path, cells in {'01_first': [], '01a_second': cells}.items():
        sources = [f'#| default_exp {path.split("_")[1]}', *cells]
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
        if cells: nb.cells[-1].outputs = list(outputs)
        nbformat.write(nb, root/f'nbs/{path}.ipynb')
    if index: nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(index)]), root/'nbs/index.ipynb')
    (root/'relneuron/first.py').write_text(first)
    (root/'relneuron/second.py').write_text(f'# %% ../nbs/01a_second.ipynb #0\n{second}')

def check_planted(**kw):
    "What is found in the project that `plant(**kw)` makes"
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder), **kw)
        return check(Path(folder))

def stream(text, name='stdout'): return nbformat.v4.new_output('stream', name=name, text=text)

def self_test():
    "Every fault is found and its place named, and nothing is found where there is none"
    shown = nbformat.v4.new_output('execute_result', data={'text/plain': "PosixPath('/tmp/a')"})
    error = nbformat.v4.new_output('error', ename='KeyError', evalue='x', traceback=[])
    picture = nbformat.v4.new_output('display_data', data={'image/png': 'abc+/tmp/'})
    define = '#| export\ndef f(): pass'
    bad = [
        ('01a_second.ipynb [1]', dict(cells=['import os\nf()'])),
        ('stored stderr', dict(cells=['f()'], outputs=[stream('a warning', 'stderr')])),
        ('a stored error, KeyError', dict(cells=['f()'], outputs=[error])),
        ("'/root/data/x.npz'", dict(cells=['f()'], outputs=[stream('read /root/data/x.npz')])),
        ("'/tmp/a'", dict(cells=['f()'], outputs=[shown])),
        ('loses the printed lines', dict(cells=['for i in range(2): print(i)\nf();'])),
        ('imports and other code', dict(cells=['#| export\nimport os\nx = os.sep'])),
        ("other code in one cell, 'x = f(os)'", dict(cells=['def f(a): pass', '#| hide\nimport os\nx = f(os)'])),
        ("other code in one cell, 'with f():'", dict(cells=[define, '#| hide\nimport os\nwith f(): pass'])),
        ('imports after other code', dict(cells=['#| hide\nimport os\nx = 1\nimport sys'])),
        ('lines of set-up', dict(cells=['#| hide\nimport os' + '\nx = 1'*(SETUP + 1)])),
        ('randn draws numbers', dict(cells=['x = torch.randn(3)', 'torch.manual_seed(0)'])),
        ('Linear draws numbers', dict(cells=['x = nn.Linear(3, 1)'])),
        ('imports _a from relneuron.first', dict(second='from .first import _a')),
        ('imports _a from relneuron.first', dict(cells=['from relneuron.first import _a'])),
        ('uses first._a', dict(second='from . import first\nfirst._a')),
        ('does not stand before its own', dict(first='def f():\n    from .second import g')),
        ('imports: first <- second <- first', dict(first='import relneuron.second', second='from . import first')),
        ('imports third, which does not exist', dict(second='from .third import g')),
        ('relneuron/second.py:2 (nbs/01a_second.ipynb #0)', dict(second='from .third import g')),
        ('01a_second.ipynb is not named', dict(index='[first](01_first.ipynb)')),
        ('the link #Two names no heading', dict(index='# One two\n[x](#One-two) [x](#Two)')),
        ('the link 01_first.ipynb#A names no heading', dict(index='[x](01_first.ipynb#A) [second](01a_second.ipynb)')),
        ('the link third.ipynb leads nowhere', dict(index='[first](01_first.ipynb) [second](01a_second.ipynb) [x](third.ipynb#a)')),
    ]
    for text, project in bad:
        faults, _ = check_planted(**project)
        assert any(text in f for f in faults), f'{text!r} not found in {faults}'
    good = ['#| hide\nimport os\n\nx = os.sep\nprint(x)', 'f(1);', '#| export\ndef f():\n    import os\n    return os',
            '%time f()', '"/tmp/not an output"; 1', 'def g(): print(1)\ng();', '#| hide\nimport re\nf()',
            'torch.randn(3, generator=g)', '_ = torch.manual_seed(0)', 'torch.randn(3)']
    outputs = [stream('1/usr ../tmp/x https://x.org/home/y'), picture]
    faults, note = check_planted(cells=good, outputs=outputs, second='from .first import f')
    assert not faults and '0 exported lines' in note and '1 statements' in note, (faults, note)

def main():
    if '--self-test' in sys.argv: return self_test()
    faults, note = check(Path(__file__).resolve().parent.parent)
    print('\n'.join([*faults, note]))
    sys.exit(bool(faults))

if __name__ == '__main__': main()
