"Write README.md from nbs/index.ipynb with nbconvert (no quarto needed); with --check only compare."
import re
import sys

import nbformat
from nbconvert import MarkdownExporter
from nbdev.config import get_config

def visible(nb):
    "`nb` as a reader sees it: no hidden cell, no directive, no code where it is not echoed"
    nb.metadata.language_info = {'name': 'python'} # nbdev_clean drops it, and nbconvert needs it for the fences
    nb.cells = [c for c in nb.cells if c.source.strip() and not re.match(r'#\s*\|\s*hide\b', c.source)]
    for c in nb.cells:
        if c.cell_type == 'markdown': c.source = re.sub(r'\]\((?!https?:|#|/)', '](nbs/', c.source) # links from the repository's root
        if c.cell_type != 'code': continue
        if re.search(r'^#\s*\|\s*echo:\s*false', c.source, flags=re.M): c.source = ''
        c.source = re.sub(r'^#\s*\|.*\n', '', c.source, flags=re.M)
    return nb

def readme(cfg):
    "README.md and its pictures: a file's path -> its bytes"
    nb = visible(nbformat.read(cfg.nbs_path/cfg.readme_nb, 4))
    resources = {'unique_key': 'index', 'output_files_dir': 'nbs/index_files'}
    text, resources = MarkdownExporter().from_notebook_node(nb, resources)
    text = re.sub(r'^```python\s*```\n', '', text, flags=re.M)
    text = '<!-- made from nbs/index.ipynb: edit there -->\n\n' + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'
    files = {'README.md': text.encode(), **resources.get('outputs', {})}
    return {cfg.config_path/name: content for name, content in files.items()}

files = readme(get_config())
if '--check' in sys.argv:
    stale = [str(p) for p, content in files.items() if not p.exists() or p.read_bytes() != content]
    sys.exit(f'not in step with nbs/index.ipynb: {", ".join(stale)}' if stale else 0)
for path, content in files.items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
