"""The shape of Envoy's hot-restarter.py: one child for each epoch.

SIGHUP starts the next one, which takes over; a child that ends with 0 is taken off the list, any other ends all;
SIGTERM ends all.
"""

import ctypes
import os
import signal
import subprocess
import sys

children = {}


def before_exec():
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # A test that fails kills this script, which could not end its children then.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start():
    epoch = start.epoch
    start.epoch += 1
    command = sys.argv[1:] + ["--restart-epoch", str(epoch)]
    children[epoch] = subprocess.Popen(command, preexec_fn=before_exec)
    print(f"started epoch {epoch} as {children[epoch].pid}", file=sys.stderr, flush=True)


start.epoch = 0


def end_all(status):
    for child in children.values():
        child.send_signal(signal.SIGTERM)
    for epoch, child in children.items():
        print(f"ended epoch {epoch} with {child.wait()}", file=sys.stderr, flush=True)
    sys.exit(status)


def reap():
    for epoch, child in list(children.items()):
        status = child.poll()
        if status is None:
            continue
        print(f"reaped epoch {epoch} with {status}", file=sys.stderr, flush=True)
        del children[epoch]
        if status != 0 or not children:
            end_all(1)


# Blocked and taken one at a time, so that none is missed.
SIGNALS = {signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
start()
while True:
    got = signal.sigwait(SIGNALS)
    if got == signal.SIGHUP:
        start()
    elif got == signal.SIGCHLD:
        reap()
    else:
        end_all(0)
