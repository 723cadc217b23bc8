"Run notebooks from top to bottom as nbdev_test does, and keep their outputs. A notebook that fails is left as it was."
import json, os, platform, subprocess, sys, time, traceback
from importlib.metadata import version
from pathlib import Path
from execnb.nbio import write_nb
from execnb.shell import CaptureShell
from fastcore.script import call_parse
from fastcore.utils import working_directory
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from nbdev.process import NBProcessor

def skip(cell, flags):
    "True for cells nbdev_test would not run"
    if cell.cell_type != 'code' or 'nbdev_export(' in cell.source: return True
    d = getattr(cell, 'directives_', {}) or {}
    return d.get('eval:', [''])[0].lower() == 'false' or bool(flags & d.keys())

def execute(path, flags):
    "Run the notebook at `path` in place; cells with one of `flags` keep the output they have"
    path = Path(path).absolute()
    nb = NBProcessor(path, process=True, rm_directives=False).nb
    kept = {c.id: c.outputs for c in nb.cells if c.cell_type == 'code' and skip(c, flags)}
    shell = CaptureShell(path, mpl_format='png')
    with working_directory(path.parent): shell.run_all(nb, exc_stop=True, preproc=lambda c: skip(c, flags))
    for c in nb.cells:
        if c.get('id') in kept: c.outputs = kept[c.id]
    clean_nb(nb)
    write_nb(nb, path)

def write_record(path, flags, results):
    "What ran where: commit, device, versions, and seconds and outcome of each notebook"
    import torch
    try: commit = subprocess.run(['git', 'describe', '--always', '--abbrev=40'], capture_output=True, text=True).stdout.strip() or 'unknown'
    except OSError: commit = 'unknown' # no git on this machine
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu'
    where = dict(commit=commit, device=device, flags=flags, python=platform.python_version(), **{p: version(p) for p in ('torch', 'torchvision', 'scikit-learn', 'foolbox', 'grad-cam')})
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(dict(where, passed=sum(r['passed'] for r in results), failed=sum(not r['passed'] for r in results), notebooks=results), indent=1))

@call_parse
def main(path:str=None, # notebook or glob, all of nbs/ without it
         flags:str='', # flags to run that are normally skipped, separated by spaces
         record:str=None): # file to write commit, device and results to, after every notebook
    os.environ['IN_TEST'] = '1'
    off = set(get_config().tst_flags.split()) - set(flags.split())
    failed, results = [], []
    for p in nbglob(path):
        t = time.time()
        try: execute(p, off)
        except Exception: failed.append(p); traceback.print_exc()
        print(f'{"FAILED " if p in failed else ""}{p} {time.time() - t:.0f} s', flush=True)
        results.append(dict(notebook=Path(p).name, passed=p not in failed, seconds=round(time.time() - t)))
        if record: write_record(record, flags, results)
    sys.exit(bool(failed))
