"""Programs that try to get out of where code is run, or to take more than they may.

What they aim at (a path, a port, a process) reaches them as variables. They go on where a way is closed and try the
next one, and do no harm beyond what the test that runs them looks at.
"""

ENDLESS_LOOP = """
while True:
    pass
"""

LOOP_THAT_CATCHES_ALL = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""

ENDLESS_SLEEP = """
import time
while True:
    time.sleep(1000)
"""

MEMORY_BOMB = """
kept = []
while True:
    kept.append('x' * 1_000_000 + str(len(kept)))
"""

HUGE_TEXT = "text = 'x' * 10**11"
HUGE_NUMBER = "number = 10 ** 10 ** 8 ** 2"

OUTPUT_FLOOD = """
while True:
    print('x' * 1000)
"""

DEEP_RECURSION = """
try:
    import sys
    sys.setrecursionlimit(10**9)
except BaseException:
    pass

def fall(depth):
    return [fall(depth + 1)]

fall(0)
"""

EXPONENTIAL_REGEX = """
import re
re.match('(a+)+$', 'a' * 60 + 'b')
"""

FORK_BOMB = """
import os
while True:
    try:
        os.fork()
    except Exception:
        pass
"""

THREAD_BOMB = """
import threading, time
while True:
    try:
        threading.Thread(target=time.sleep, args=(1000,)).start()
    except Exception:
        pass
"""

CHILD_THAT_STAYS = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(256):
            try:
                os.close(number)
            except OSError:
                pass
        time.sleep(1000)
    os._exit(0)
"""

KILLS_A_PROCESS = """
import os, signal
os.kill(pid, signal.SIGKILL)
"""

READS_FILES = """
for path in paths:
    try:
        with open(path) as file:
            print(file.read())
    except BaseException as error:
        print(type(error))
    try:
        import pathlib
        print(pathlib.Path(path).read_text())
    except BaseException as error:
        print(type(error))
    try:
        import os
        print(os.read(os.open(path, os.O_RDONLY), 10000))
    except BaseException as error:
        print(type(error))
"""

READS_ENVIRONMENT = """
try:
    import os
    print(os.environ)
except BaseException as error:
    print(type(error))
try:
    print(os.getenv(name))
except BaseException as error:
    print(type(error))
for process in ['self', '1', str(pid)]:
    try:
        with open('/proc/' + process + '/environ', 'rb') as file:
            print(file.read())
    except BaseException as error:
        print(type(error))
"""

CONNECTS_BY_TCP = """
import socket
with socket.create_connection(('127.0.0.1', port), timeout=0.5) as connection:
    connection.sendall(b'out')
"""

SENDS_BY_UDP = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'out', ('127.0.0.1', port))
"""

CONNECTS_TO_UNIX_SOCKET = """
import socket
for path in paths:
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        connection.sendall(b'out')
    except OSError as error:
        print(error)
"""

WRITES_FILES = """
import os
for path in paths:
    try:
        with open(path, 'w') as file:
            file.write('changed')
    except BaseException as error:
        print(type(error))
    for change in ('unlink', 'mkdir', 'rmdir'):
        try:
            getattr(os, change)(path)
        except BaseException as error:
            print(type(error))
"""

RUNS_A_SHELL = """
command = 'echo changed > ' + path
try:
    import os
    os.system(command)
except BaseException as error:
    print(type(error))
try:
    import subprocess
    subprocess.run(command, shell=True)
except BaseException as error:
    print(type(error))
try:
    for found in ().__class__.__base__.__subclasses__():
        if found.__name__ == '_wrap_close':
            found.__init__.__globals__['system'](command)
except BaseException as error:
    print(type(error))
"""

FILLS_THE_DISK = """
written = 0
for directory in ['/tmp', '/dev/shm', '/var/tmp', '/run', '/', '/dev', '.', '/workspace']:
    try:
        for number in range(100):
            with open(directory + '/' + str(written + number), 'w') as file:
                for _ in range(10):
                    file.write('x' * 1_000_000)
                    file.flush()
                    written += 1_000_000
    except Exception as error:
        pass
written
"""
