"""What the tests have in common that run coldboot with a script: a folder for each test, helpers, the lines of results.

A test is a function with one argument, a Run; it raises Failure or Skip. run_tests() carries tests out, two at a time,
and prints `pass NAME`, `FAIL NAME: why` or `skip NAME: why` for each.
"""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGES = os.path.abspath(os.environ.get('COLDBOOT_IMAGES', os.path.join(TOP, '..', 'shared', 'images')))
REDUCED = os.environ.get('COLDBOOT_TEST_SET') == 'reduced'
HOST_LIMIT_S = 240


STEPS = {'wait': 'wait "{}"', 'ser': 'wait-serial "{}"', 'sleep': 'sleep {}s', 'key': 'key {}', 'type': 'type {}'}


def image_entries():
    """{name: entry} of images.json, which says how each image starts and by which steps it shows that it runs."""
    try:
        with open(os.path.join(IMAGES, 'images.json'), encoding='utf-8') as file:
            return {entry['name']: entry for entry in json.load(file)}
    except OSError:
        return {}


def script_of(entry, other=None):
    """The steps of an entry as a script's lines; @other stands for one that no script has, and there is none without."""
    lines = []
    for step in entry['steps']:
        kind, _, value = step.partition(':')
        if kind == 'type':
            value = value.replace('\\', '\\\\').replace('<', '\\<').replace('~', '\\n')
        if kind not in STEPS and other is None:
            return None
        lines.append(STEPS[kind].format(value) if kind in STEPS else other)
    return lines


class Skip(Exception):
    pass


class Failure(Exception):
    pass


class Run:
    """One test's folder and its helpers."""

    def __init__(self, folder, program):
        self.folder = folder
        self.program = program

    def path(self, name):
        return os.path.join(self.folder, name)

    def image(self, name):
        path = os.path.join(IMAGES, name)
        if not os.path.exists(path):
            raise Skip(f'{name} is not there (COLDBOOT_IMAGES)')
        return path

    def copy(self, name):
        copy = self.path(os.path.basename(name))
        shutil.copyfile(self.image(name), copy)
        os.chmod(copy, 0o644)
        return copy

    def tool(self, name):
        path = shutil.which(name) or shutil.which(name, path='/usr/sbin:/sbin')
        if path is None:
            raise Skip(f'{name} is not installed')
        return path

    def command(self, *arguments, status=0, limit=HOST_LIMIT_S):
        """Runs a program; returns what it printed, both ways."""
        try:
            done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=limit, cwd=self.folder, check=False)
        except subprocess.TimeoutExpired as late:
            raise Failure(f'no end after {limit} s of {" ".join(arguments)}') from late
        output = done.stdout.decode(errors='replace')
        if done.returncode != status:
            raise Failure(f'status {done.returncode}, not {status}, of {" ".join(arguments)}\n{output}')
        return output

    def coldboot(self, *arguments, status=0):
        return self.command(self.program, '-L', os.path.join(TOP, 'bios'), *arguments, status=status)

    def expect(self, script, *arguments, status=0):
        """Runs a script; returns the last screen text it saved with `screentext -`, and messages."""
        path = self.path('script')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(script) + '\n')
        return self.command(self.program, 'expect', path, '--', *arguments, status=status)

    def sector(self, kind, **values):
        path = self.path(kind + '.img')
        defines = [f'-DKIND={kind}'] + [f'-D{name}={value}' for name, value in values.items()]
        self.command(self.tool('nasm'), '-f', 'bin', '-o', path, *defines,
                     os.path.join(TOP, 'tests', 'boot', 'sector.asm'))
        return path


def need(condition, why):
    if not condition:
        raise Failure(why)


def has(output, *texts):
    for text in texts:
        need(text in output, f'"{text}" is missing in\n{output}')


def carry_out(test, program):
    folder = tempfile.mkdtemp(prefix='coldboot-test-')
    start = time.monotonic()
    try:
        test(Run(folder, program))
        line = f'pass {test.__name__}'
    except Skip as why:
        line = f'skip {test.__name__}: {why}'
    except (Failure, OSError, subprocess.SubprocessError) as why:
        first, _, rest = str(why).partition('\n')
        line = f'FAIL {test.__name__}: {first}' + ('\n' + rest.rstrip() if rest else '')
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if os.environ.get('COLDBOOT_TEST_TIMES'):
        print(f'# {time.monotonic() - start:.1f} s {test.__name__}')
    return line


def run_tests(tests, arguments):
    """Carries out those of @tests whose name has one of the words behind BUILD in @arguments; the exit status."""
    program = os.path.abspath(os.path.join(arguments[1], 'coldboot'))
    words = arguments[2:]
    tests = [test for test in tests if not words or any(word in test.__name__ for word in words)]
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for line in pool.map(lambda test: carry_out(test, program), tests):
            print(line, flush=True)
            failed |= line.startswith('FAIL')
    return 1 if failed else 0
