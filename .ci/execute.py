"""Run notebooks from top to bottom as nbdev_test does, and keep their outputs. A notebook that fails is left as it was;
its outputs up to there are written to the folder for temporary files."""
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from glob import glob
from importlib.metadata import version
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from execnb.nbio import write_nb
from execnb.shell import CaptureShell
from fastcore.script import call_parse
from fastcore.utils import working_directory
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from nbdev.process import NBProcessor

PACKAGES = ('torch', 'torchvision', 'scikit-learn', 'foolbox', 'grad-cam')

def notebooks(paths):
    "The notebooks that `paths` name: files, folders or globs, separated by spaces; all of nbs/ without them"
    if not paths: return list(nbglob())
    found = [p for pattern in paths.split() for p in sorted(glob(pattern, recursive=True))]
    if not found: sys.exit(f'no notebook matches {paths!r}')
    return list(dict.fromkeys(nb for p in found for nb in nbglob(p)))

def skip(cell, flags):
    "True for cells nbdev_test would not run"
    if cell.cell_type != 'code' or 'nbdev_export(' in cell.source: return True
    directives = getattr(cell, 'directives_', {}) or {}
    names = {*directives, *chain(*directives.values())} # `#| slow bench` wants both
    return directives.get('eval:', [''])[0].lower() == 'false' or bool(flags & names)

def execute(path, flags):
    "Run the notebook at `path` in place; cells with one of `flags` keep the output they have"
    path = Path(path).absolute()
    nb = NBProcessor(path, process=True, rm_directives=False).nb
    kept = {c.id: c.outputs for c in nb.cells if c.cell_type == 'code' and skip(c, flags)}
    for c in nb.cells:
        if c.cell_type == 'code' and c.id not in kept: c.outputs = [] # or a cell without a new output keeps the old one
    shell = CaptureShell(path, mpl_format='png')
    try:
        with working_directory(path.parent): shell.run_all(nb, exc_stop=True, preproc=lambda c: skip(c, flags))
    except BaseException:
        half = Path(tempfile.gettempdir())/f'failed-{path.name}'
        write_nb(nb, half)
        print(f'what it gave up to there: {half}', file=sys.stderr)
        raise
    for c in nb.cells:
        if c.get('id') in kept: c.outputs = kept[c.id]
    clean_nb(nb)
    write_nb(nb, path)

def commit():
    "The commit that is checked out; `COMMIT` says it on a machine that has only a copy of the files"
    if 'COMMIT' in os.environ: return os.environ['COMMIT']
    command = ['git', 'describe', '--always', '--abbrev=40']
    try: return subprocess.run(command, capture_output=True, text=True).stdout.strip() or 'unknown'
    except OSError: return 'unknown' # no git on this machine

def write_record(path, flags, results):
    "What ran where: commit, device, versions, and seconds and outcome of each notebook"
    import torch
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu'
    where = dict(commit=commit(), device=device, flags=flags, python=platform.python_version())
    passed = sum(r['passed'] for r in results)
    record = where | {p: version(p) for p in PACKAGES}
    record |= dict(passed=passed, failed=len(results) - passed, notebooks=results)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(record, indent=1))

def attempt(path, flags):
    "Run a notebook and say how it went"
    start, passed = time.time(), True
    try: execute(path, flags)
    except Exception:
        passed = False
        print(f'{path}\n{traceback.format_exc()}', file=sys.stderr, flush=True)
    seconds = time.time() - start
    print(f'{"" if passed else "FAILED "}{path} {seconds:.0f} s', flush=True)
    return dict(notebook=Path(path).name, passed=passed, seconds=round(seconds))

def attempts(paths, flags, workers):
    "Run all of them, each in a process of its own where there are several workers"
    if workers == 1: yield from (attempt(p, flags) for p in paths)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context('spawn'), max_tasks_per_child=1) as pool:
            for done in as_completed([pool.submit(attempt, p, flags) for p in paths]): yield done.result()

@call_parse
def main(path:str=None, # notebooks, folders or globs, separated by spaces; all of nbs/ without it
         flags:str='', # flags to run that are normally skipped, separated by spaces
         workers:int=1, # notebooks at a time
         record:str=None): # file to write commit, device and results to, after every notebook
    os.environ['IN_TEST'] = '1'
    off = set(get_config().tst_flags.split()) - set(flags.split())
    results = []
    for result in attempts(notebooks(path), off, workers):
        results.append(result)
        if record: write_record(record, flags, sorted(results, key=lambda r: r['notebook']))
    sys.exit(not all(r['passed'] for r in results))
