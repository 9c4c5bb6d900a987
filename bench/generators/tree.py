"""Processor time and memory of a process and all its descendants, from /proc."""
import os
import signal

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat after the name; None if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def members(root):
    """`root` and its descendants, {pid: fields}. A zombie's time is not its parent's yet."""
    processes = {}
    for name in os.listdir("/proc"):
        fields = _stat(name) if name.isdigit() else None
        if fields:
            processes[int(name)] = fields
    found = {}
    wanted = [root]
    while wanted:
        pid = wanted.pop()
        if pid in processes and pid not in found:
            found[pid] = processes[pid]
            wanted += [child for child, fields in processes.items() if int(fields[1]) == pid]
    return found


def cpu_seconds(root):
    """User and system time of all members, and of the children they have reaped."""
    ticks = 0
    for fields in members(root).values():
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / TICKS_PER_S


def memory_bytes(root):
    """(proportional, resident): shared pages counted once over all processes, or in each."""
    proportional = resident = 0
    for pid in members(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                for line in rollup:
                    if line.startswith("Pss:"):
                        proportional += int(line.split()[1]) * 1024
                    elif line.startswith("Rss:"):
                        resident += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile, or is a zombie
    return proportional, resident


def end(process):
    """End what is left of a tree that we started, and reap its root."""
    for pid in members(process.pid):
        if pid != process.pid or process.poll() is None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    process.wait()
