"Write README.md from nbs/index.ipynb with nbconvert (no quarto needed); with --check only compare."
import re, sys
import nbformat
from nbconvert import MarkdownExporter
from nbdev.config import get_config

cfg = get_config()
nb = nbformat.read(cfg.nbs_path/cfg.readme_nb, 4)
nb.metadata.language_info = {'name': 'python'} # nbdev_clean drops it, and nbconvert needs it for the fences
nb.cells = [c for c in nb.cells if c.source.strip() and not re.match(r'#\s*\|\s*hide\b', c.source)]
for c in nb.cells:
    if c.cell_type != 'code': continue
    if re.search(r'^#\s*\|\s*echo:\s*false', c.source, flags=re.M): c.source = ''
    c.source = re.sub(r'^#\s*\|.*\n', '', c.source, flags=re.M)
text, res = MarkdownExporter().from_notebook_node(nb, {'unique_key': 'index', 'output_files_dir': 'nbs/index_files'})
text = re.sub(r'^```python\s*```\n', '', text, flags=re.M)
text = '<!-- made from nbs/index.ipynb: edit there -->\n\n' + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'
files = {cfg.config_path/'README.md': text.encode(), **{cfg.config_path/k: v for k, v in res.get('outputs', {}).items()}}
if '--check' in sys.argv:
    stale = [str(p) for p, v in files.items() if not p.exists() or p.read_bytes() != v]
    sys.exit(f'not in step with nbs/index.ipynb: {", ".join(stale)}' if stale else 0)
for p, v in files.items(): p.parent.mkdir(parents=True, exist_ok=True); p.write_bytes(v)
