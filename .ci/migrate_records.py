"""Bring the records of nbs/results/runs from the form of relneuron 0.1 (before `Record`) to today's, and compare every figure.

    python .ci/migrate_records.py OLD_FOLDER NEW_FOLDER

Needs RELNEURON_DATA, for a record now names its images by their fingerprint."""
import json
import sys
from pathlib import Path

from safetensors.torch import load_file

from relneuron.core import fingerprint
from relneuron.data import load_data
from relneuron.experiments import EXPERIMENTS, Record, flatten, unflatten
from relneuron.models import accuracy, load_model

SETS = {'adversarial': 'attacked', 'non-shared': 'nonshared', 'relevant': 'clean', 'random': 'random as clean'}
HEADER = ('experiment', 'environment', 'written', 'seconds', 'sets', 'test_accuracy', 'model', 'units', 'rectified', 'attacks')

def new_set(name):
    "'random as non-shared' → 'random as nonshared'"
    return f'random as {new_set(name.removeprefix("random as "))}' if name.startswith('random as ') else SETS.get(name, name)

def new_experiment(old, name):
    "Settings under their names of today"
    setting = {('unit_sets' if k == 'units' else k): v for k, v in old.items()}
    kind = EXPERIMENTS[name]
    return dict(json.loads(json.dumps(dict(study=kind.study, table=kind.table))), **setting) | dict(model=Path(old['model']).name)

def made_of(old, folder):
    "Fingerprints of network and images"
    e = old['experiment']
    checkpoint = folder/Path(e['model']).name
    model = load_model(checkpoint if checkpoint.is_file() else e['model'])
    train, test = load_data(e['data']).first(e['n_per_class']), load_data(e['data'], 'test')
    test = test if e['n_test'] is None else test[:e['n_test']]
    for split, d in (('train', train), ('test', test)): assert old['sets'][split].startswith(repr(d)), (split, repr(d))
    assert abs(accuracy(model, test) - old['test_accuracy']) < 1e-6, 'another network'
    return dict(model=fingerprint(model), train=fingerprint(train.x, train.y), test=fingerprint(test.x, test.y))

def new_results(old):
    "Results, with unit sets under one name"
    results = {k: v for k, v in old.items() if k not in (*HEADER, 'classes')}
    for part in ('cells', 'extra', 'transfer', 'seeds'):
        if part in results: results[part] = [{('unit_set' if k == 'units' else k): v for k, v in c.items()} for c in results[part]]
    if 'changes' in results:
        results['changes'] = [{('unit_set' if k == 'set' else k): (new_set(v) if k == 'set' else v) for k, v in c.items()} for c in results['changes']]
    if 'separation' in results:
        results['separation'] = {a: {new_set(s): v for s, v in d.items()} for a, d in results['separation'].items()}
    return results

def new_place(path, name):
    "Where a tensor of an old record stands now"
    attack, *rest = path.split('/')
    if name != 'exp3':
        return f'gallery/{path}' if rest[0] in ('first', 'caught', 'missed') else f'distances/{attack}/{new_set(rest[0])}/{rest[1]}'
    if rest[0] in ('caught', 'missed'): return f'explained/{path}'
    if rest[0] in ('signed', 'ReLU', 'same class'): return f'maps/{attack}/{rest[0]}/{new_set(rest[1])}/{rest[2]}'
    return f'three/{path}'

def cell_key(c): return tuple(c.get(k) for k in ('attack', 'unit_set', 'mu', 'with_label', 'seed', 'tested', 'view', 'measure'))

def compare(old, record, tensors):
    "Every figure of the old record against the new one; how many there were"
    n = 0
    for part in ('cells', 'extra', 'transfer', 'seeds', 'changes'):
        there = {}
        for c in record.results.get(part, []): there.setdefault(cell_key(c), []).append(c)
        for c in old.get(part, []):
            unit_set = c['units'] if 'units' in c else new_set(c['set'])
            d = there[cell_key(dict(c, unit_set=unit_set))].pop(0)
            for k, v in c.items():
                if k in ('units', 'set'): continue
                assert d[k] == v, (part, k)
                n += 1
        assert not any(there.values())
    for k, v in old['experiment'].items():
        if k == 'model': continue # a name now, and a fingerprint
        assert record.fields['experiment']['unit_sets' if k == 'units' else k] == v, k
        n += 1
    for k, v in old.items():
        if k in ('cells', 'extra', 'transfer', 'seeds', 'changes', 'experiment', 'classes', 'separation'): continue
        assert (record.fields if k in HEADER else record.results)[k] == v, k
        n += 1
    for a, d in old.get('separation', {}).items():
        for s, v in d.items():
            assert record.results['separation'][a][new_set(s)] == v
            n += len(v)
    flat = flatten(record.pictures)
    for path, t in tensors.items(): assert flat.pop(new_place(path, old['experiment']['name'])).equal(t), path
    assert not flat
    return n

def main(old_folder, new_folder):
    for path in sorted(Path(old_folder).glob('*.json')):
        old, tensors = json.loads(path.read_text()), load_file(path.with_suffix('.safetensors'))
        if 'made_of' in old or not isinstance(old, dict): continue
        name = old['experiment']['name']
        fields = {k: old[k] for k in HEADER if k in old} | dict(
            class_names=old['classes'], made_of=made_of(old, Path(old_folder)), experiment=new_experiment(old['experiment'], name), results=new_results(old))
        fields.setdefault('model', {})
        record = Record(fields, unflatten({new_place(k, name): t for k, t in tensors.items()}))
        record.save(new_folder)
        again = Record.load(Path(new_folder)/record.file)
        print(f'{path.name} -> {record.file}: {compare(old, again, tensors)} figures and {len(tensors)} tensors equal')

main(*sys.argv[1:])
