"""QEMU, or coldboot with QEMU's options, driven through its monitor on a socket: for tests that compare both."""
import os
import socket
import subprocess
import time

LIMIT_S = 60
KEYS = {' ': 'spc', '~': 'ret', '.': 'dot', '*': 'shift-8', '\\': 'backslash', '-': 'minus', ':': 'shift-semicolon'}


def read_ppm(path):
    with open(path, 'rb') as file:
        magic, size, depth, pixels = file.read().split(b'\n', 3)
    width, height = map(int, size.split())
    if magic != b'P6' or depth != b'255' or len(pixels) < 3 * width * height:
        raise RuntimeError(f'{path} is no picture')
    return width, height, pixels


class Emulator:
    """QEMU, or coldboot with QEMU's options, with its monitor on a socket."""

    def __init__(self, name, command, arguments, folder):
        self.name = name
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        path = os.path.join(self.folder, 'monitor')
        self.command = [*command, '-display', 'none', '-snapshot', '-monitor', f'unix:{path},server=on,wait=off', *arguments]
        limit = time.monotonic() + LIMIT_S
        while not self.start(path, limit):
            time.sleep(0.5)                      # another test has the image locked at the moment

    def start(self, path, limit):
        """Starts it and connects to its monitor; False if it ended again, and there is time left."""
        with open(os.path.join(self.folder, 'errors'), 'w+', encoding='utf-8') as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            while True:
                self.wire = socket.socket(socket.AF_UNIX)
                try:
                    self.wire.connect(path)
                    self.wire.settimeout(LIMIT_S)
                    self.answer()
                    return True
                except OSError:
                    self.wire.close()
                    ended = self.process.poll() is not None
                    if time.monotonic() > limit:
                        errors.seek(0)
                        raise RuntimeError(f'{self.name} does not start: {errors.read().strip()}') from None
                    if ended:
                        return False
                    time.sleep(0.01)

    def answer(self):
        """What the monitor says until its prompt."""
        text = b''
        while not text.endswith(b'(qemu) '):
            more = self.wire.recv(4096)
            if not more:
                raise ConnectionError(f'{self.name} has ended')
            text += more
        return text

    def say(self, line):
        self.wire.sendall(line.encode() + b'\n')
        self.answer()

    def saved(self, command, name, size):
        """What a monitor command writes to a file, once it has @size bytes at least."""
        path = os.path.join(self.folder, name)
        if os.path.exists(path):
            os.unlink(path)
        self.say(command.format(path))
        limit = time.monotonic() + LIMIT_S
        while not os.path.exists(path) or os.path.getsize(path) < size:
            if time.monotonic() > limit:
                raise RuntimeError(f'{self.name}: no end of {command}')
            time.sleep(0.01)
        with open(path, 'rb') as file:
            return file.read()

    def memory(self):
        return self.saved('pmemsave 0xb8000 32768 "{}"', 'memory', 32768)

    def text(self):
        return self.memory()[::2].decode('cp437')

    def picture(self):
        self.saved('screendump "{}"', 'screen.ppm', 1000)
        return read_ppm(os.path.join(self.folder, 'screen.ppm'))

    def carry_out(self, entry):
        for step in entry['steps']:
            self.step(step)
        time.sleep(entry['settle_s'])

    def step(self, step):
        kind, _, value = step.partition(':')
        if kind == 'sleep':
            time.sleep(float(value))
        elif kind == 'key':
            self.say('sendkey ' + value)
        elif kind == 'type':
            for character in value:
                self.say('sendkey ' + KEYS.get(character, character))
                time.sleep(0.1)
        else:
            limit = time.monotonic() + LIMIT_S
            while value not in self.text():
                if time.monotonic() > limit:
                    raise RuntimeError(f'{self.name} does not come to "{value}"')
                time.sleep(0.05)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.wire.close()
