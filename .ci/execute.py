"Run notebooks from top to bottom as nbdev_test does, and keep their outputs. A notebook that fails is left as it was."
import os, sys, time, traceback
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

@call_parse
def main(path:str=None, # notebook or glob, all of nbs/ without it
         flags:str=''): # flags to run that are normally skipped, separated by spaces
    os.environ['IN_TEST'] = '1'
    off = set(get_config().tst_flags.split()) - set(flags.split())
    failed = []
    for p in nbglob(path):
        t = time.time()
        try: execute(p, off)
        except Exception: failed.append(p); traceback.print_exc()
        print(f'{"FAILED " if p in failed else ""}{p} {time.time() - t:.0f} s', flush=True)
    sys.exit(bool(failed))
