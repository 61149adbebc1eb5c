"""Several processes: icl launch, mpirun, the variables of torchrun and Slurm, two network namespaces as two machines,
a slow line, and processes that die or stop."""

import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import harness
from harness import (ICL, PATIENCE, ROOT, Skip, Terminal, close, contains, equal, failure, folder, lacks, read_bytes,
                     sanitized, success, test)

SCRIPT = os.path.join(ROOT, "tests", "cli", "launched.lua")


def environment(**changes):
  """That of a program; mpirun waits a second, not ten, for processes that are to end."""
  return harness.environment(OMPI_MCA_odls_base_sigkill_timeout="1", **changes)


def run(*words, env=None):
  return harness.run(*words, env=env or environment())


def free_port():
  with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    return s.getsockname()[1]


def needs_mpi():
  if sanitized():
    raise Skip("the plug-in of MPI has no sanitizers")
  if not shutil.which("mpirun"):
    raise Skip("there is no mpirun; sh third_party/setup.sh tests installs it")


def tells(output, size, by, kind):
  """Every rank said its line."""
  total = size * (size + 1) // 2
  lines = sorted(line for line in output.splitlines() if line.startswith("rank "))
  equal([line.split(", ")[0] for line in lines],
        [f"rank {r} of {size} by {by} with {kind}: {total}" for r in range(size)])
  return lines


@test
def a_program_that_does_not_meet_the_others_is_told():
  with folder() as here:
    script = here.write("alone.lua", """
      local icl = require "icl"
      local set = icl.data.set { images = icl.zeros({ 8, 2, 2, 1 }, "u8"), labels = icl.zeros({ 8 }, "i64"),
                                 classes = 2, mean = { 0 }, std = { 1 } }
      icl.data.loader(set, { batch_size = 4, training = true })
      icl.run { epochs = 1 }""")
    variables = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    result = run(script, env=environment(**variables))
    equal(result.returncode, 0, result.stderr)
    equal(result.stderr.count("Process 1 of 2 by torchrun"), 1)
    contains(result.stderr, "has not met the others and trains alone")
    lacks(run(script).stderr, "alone")


def ranks(variables, what="talk", prefixes=None):
  """Runs the script once for each set of variables -> the output of all, the codes, the messages."""
  started = []
  for r, own in enumerate(variables):
    prefix = prefixes[r] if prefixes else []
    started.append(subprocess.Popen([*prefix, ICL, SCRIPT, what, "5"], env=environment(**own), text=True,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
  ended = [process.communicate(timeout=PATIENCE) for process in started]
  return "".join(out for out, _ in ended), [process.returncode for process in started], [err for _, err in ended]


def torchrun(size, address="127.0.0.1", port=None):
  port = port or free_port()
  return [dict(RANK=str(r), WORLD_SIZE=str(size), LOCAL_RANK=str(r), LOCAL_WORLD_SIZE=str(size), MASTER_ADDR=address,
               MASTER_PORT=str(port)) for r in range(size)]


# ---- icl launch ----


@test
def launch_starts_processes():
  needs_mpi()
  lines = tells(success(run("launch", "-n", "3", SCRIPT, "talk")), 3, "mpirun", "mpi")
  contains(lines[1], "local 1 of 3")
  tells(success(run("launch", "-n2", SCRIPT, "fast")), 2, "mpirun", "mpi")
  tells(success(run("launch", "-n", "1", SCRIPT, "talk")), 1, "mpirun", "mpi")


@test
def launch_takes_words_for_icl():
  needs_mpi()
  code = "print(require 'icl.core'.configured().threads, arg[1])"
  out = success(run("launch", "-n", "2", "--threads", "1", "-e", code, "word"))
  equal(out.count("1\tword\n"), 2, out)


@test
def launch_into_a_file_draws_no_bar():
  needs_mpi()
  code = "io.write(tostring(os.getenv 'TERM'))"
  equal(success(run("launch", "-n", "1", "-e", code, env=environment(TERM="xterm"))).strip(), "dumb")


@test
def launch_shares_the_cores():
  needs_mpi()
  alone = success(run(SCRIPT, "talk"))
  cores = int(re.search(r"(\d+) threads", alone).group(1))
  for line in tells(success(run("launch", "-n", "2", SCRIPT, "talk")), 2, "mpirun", "mpi"):
    contains(line, f" {max(1, cores // 2)} threads")


@test
def launch_says_what_is_wrong():
  contains(success(run("launch", "--help")), "icl launch -n N")
  contains(failure(run("launch"), 2), "icl launch: -n says how many")
  contains(failure(run("launch", "-n"), 2), "-n needs a number")
  contains(failure(run("launch", "-n", "0", SCRIPT), 2), "-n 0: it must be an integer from 1")
  contains(failure(run("launch", "-n", "two", SCRIPT), 2), "-n two: it must be an integer")
  contains(failure(run("launch", "-n", "2"), 2), "there is no recipe")
  contains(failure(run("launch", "-n", "2", "-n", "3", SCRIPT), 2), "-n is there twice; it can be given once")


@test
def launch_without_mpirun():
  needs_mpi()
  contains(failure(run("launch", "-n", "2", SCRIPT, env=environment(PATH="/nowhere"))), "package openmpi-bin")


@test
def launch_returns_the_code_of_a_process():
  needs_mpi()
  equal(run("launch", "-n", "2", SCRIPT, "code").returncode, 7)
  result = run("launch", "-n", "3", SCRIPT, "abort")
  equal(result.returncode, 1, result.stderr)
  contains(result.stderr, "the loss is not finite")


@test
def a_process_that_is_killed_ends_all():
  needs_mpi()
  with subprocess.Popen([ICL, "launch", "-n", "3", SCRIPT, "wait"], env=environment(), stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
    os.kill(pid_of(process), signal.SIGKILL)
    errors = process.communicate(timeout=PATIENCE)[1]
  contains(errors, "rank 1 ", "signal 9")
  equal(process.returncode, -signal.SIGKILL)


@test
def a_process_that_is_stopped_is_told():
  needs_mpi()
  with subprocess.Popen([ICL, "launch", "-n", "3", SCRIPT, "wait", "2"], env=environment(), stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
    os.kill(pid_of(process), signal.SIGSTOP)
    errors = process.communicate(timeout=PATIENCE)[1]
  contains(errors, f"rank 1 on {socket.gethostname()} gave no sign of life for 2 s")
  equal(process.returncode, 1)


def pid_of(process):
  """The process of rank 1, when it says so; it is killed or stopped a moment later."""
  for line in process.stdout:
    if line.startswith("pid "):
      time.sleep(0.3)
      return int(line.split()[1])
  raise AssertionError(process.stderr.read())


@test
def launch_hands_signals_on():
  needs_mpi()
  with subprocess.Popen([ICL, "launch", "-n", "2", SCRIPT, "wait"], env=environment(), stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
    pid_of(process)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=PATIENCE)[1]
  contains(errors, "stopped by TERM")
  assert process.returncode not in (0, None), process.returncode


# A run of two small parameters that tells when it is under way, and is saved by signals alone.
LONG = """local icl = require "icl"
  local opt = icl.options "long" : include(icl.options.data, icl.options.training, icl.options.runtime) : parse(arg)
  local set = icl.data.set { images = icl.zeros({ 64, 2, 2, 1 }, "u8"),
                             labels = icl.zeros({ 64 }, "i64"), classes = 2,
                             mean = { 0 }, std = { 1 } }
  local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(4, 2) }
  icl.fit { model = model, train = set, options = opt, on_step = function(run)
    if run.step == 40 then print "under way" io.stdout:flush() end
  end }"""


def long_run(where, output):
  """The words of a launched run that only a signal ends."""
  return ("launch", "-n", "2", where.write("long.lua", LONG), "--epochs", "1000000", "--batch-size", "8",
          "--save-every", "9h", "--output", output)


def saved_by_a_signal(output):
  contains(read_bytes(output + "/log.txt").decode(), "Stopped by TERM in epoch ")
  assert os.path.exists(output + "/checkpoints/last.safetensors")


@test
def a_launched_run_saves_at_the_signal():
  needs_mpi()
  with folder() as here:
    with subprocess.Popen([ICL, *long_run(here, here / "a")], env=environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
      assert any("under way" in line for line in process.stdout), process.stderr.read()
      process.send_signal(signal.SIGTERM)
      process.communicate(timeout=PATIENCE)
    equal(process.returncode, -signal.SIGTERM)
    saved_by_a_signal(here / "a")


@test
def a_launched_run_saves_at_ctrl_c():
  needs_mpi()
  with folder() as here:
    with Terminal(*long_run(here, here / "a"), env=environment()) as terminal:
      terminal.expect("under way")
      terminal.send("\x03")
      equal(terminal.end(), -signal.SIGINT)
    saved_by_a_signal(here / "a")


# ---- other launchers ----


@test
def variables_of_torchrun():
  output, codes, errors = ranks(torchrun(3))
  equal(codes, [0, 0, 0], errors)
  lines = tells(output, 3, "torchrun", "tcp")
  contains(lines[2], "local 2 of 3")


@test
def variables_of_slurm():
  common = dict(SLURM_NTASKS="2", SLURM_STEP_ID="0", SLURM_JOB_ID=str(os.getpid()), SLURM_JOB_NODELIST="localhost",
                SLURM_TASKS_PER_NODE="2", SLURM_NODEID="0")
  output, codes, errors = ranks([dict(common, SLURM_PROCID=str(r), SLURM_LOCALID=str(r)) for r in range(2)])
  equal(codes, [0, 0], errors)
  tells(output, 2, "srun", "tcp")


@test
def a_batch_script_of_slurm_is_no_launch():
  out = success(run(SCRIPT, "talk", env=environment(SLURM_NTASKS="4", SLURM_PROCID="0", SLURM_JOB_ID="12")))
  tells(out, 1, "nobody", "tcp")


@test
def errors_name_the_process():
  _, codes, errors = ranks(torchrun(3), "abort")
  equal(codes, [1, 1, 1], errors)
  for r in (0, 2):
    contains(errors[r], f"rank 1 on {socket.gethostname()}: the loss is not finite")
  contains(errors[1], "the loss is not finite")
  lacks(errors[1], "rank 1 on")


@test
def a_signal_ends_the_wait_for_others():
  words = [ICL, SCRIPT, "talk", "20", "100000"]  # nobody comes
  with subprocess.Popen(words, env=environment(**torchrun(2)[0]), text=True, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=PATIENCE)[1]
  contains(errors, "stopped by INT")
  equal(process.returncode, -signal.SIGINT)


@test
def a_signal_to_one_ends_all():
  started = [subprocess.Popen([ICL, SCRIPT, "wait", "60"], env=environment(**own), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
             for own in torchrun(2)]
  pid_of(started[1])
  started[1].send_signal(signal.SIGTERM)
  errors = [process.communicate(timeout=PATIENCE)[1] for process in started]
  told = [f"rank 1 on {socket.gethostname()}{what}" for what in (": it was interrupted", " has left the group")]
  assert any(text in errors[0] for text in told), errors[0]  # as far as it came before it ended
  contains(errors[1], "stopped by TERM")


# ---- two machines ----


class delayed:
  """A way to a port that takes this many seconds, in a with block."""

  def __init__(self, port, seconds):
    self.port, self.seconds = port, seconds

  def __enter__(self):
    self.listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=self.accept, daemon=True).start()
    return self.listening.getsockname()[1]

  def __exit__(self, *_):
    self.listening.close()

  def accept(self):
    while True:
      try:
        near = self.listening.accept()[0]
      except OSError:
        return
      far = self.connect()
      for ends in ((near, far), (far, near)):
        threading.Thread(target=self.carry, args=ends, daemon=True).start()

  def connect(self):
    """The port behind the way, as soon as somebody listens there."""
    while True:
      try:
        return socket.create_connection(("127.0.0.1", self.port))
      except OSError:
        time.sleep(0.02)

  def carry(self, source, target):
    line = queue.Queue()
    threading.Thread(target=self.deliver, args=(line, target), daemon=True).start()
    while True:
      try:
        data = source.recv(65536)
      except OSError:
        data = b""
      line.put((time.monotonic() + self.seconds, data))
      if not data:
        return

  @staticmethod
  def deliver(line, target):
    while True:
      moment, data = line.get()
      time.sleep(max(0, moment - time.monotonic()))
      try:
        if not data:
          target.shutdown(socket.SHUT_WR)
          return
        target.sendall(data)
      except OSError:
        return


@test
def a_line_of_20_ms():
  port = free_port()
  with delayed(port, 0.02) as slow:
    first, second = torchrun(2, port=port)
    second["MASTER_PORT"] = str(slow)
    output, codes, errors = ranks([first, second])
  equal(codes, [0, 0], errors)
  tells(output, 2, "torchrun", "tcp")


class two_machines:
  """Network namespaces with a line between them; their addresses are 10.77.0.1 and 10.77.0.2."""

  def __enter__(self):
    self.names = [f"icl{os.getpid()}{end}" for end in "ab"]
    try:
      for name in self.names:
        self.ip("netns", "add", name)
      self.ip("link", "add", "icl0", "netns", self.names[0], "type", "veth", "peer", "name", "icl0", "netns",
              self.names[1])
      for number, name in enumerate(self.names, 1):
        self.ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "icl0")
        self.ip("-n", name, "link", "set", "icl0", "up")
        self.ip("-n", name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError) as error:
      self.__exit__()
      raise Skip(f"no network namespaces here: {error}") from error
    return self

  def __exit__(self, *_):
    for name in self.names:
      subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)

  @staticmethod
  def ip(*words):
    subprocess.run(["ip", *words], check=True, stderr=subprocess.PIPE)

  def prefixes(self):
    return [["ip", "netns", "exec", name] for name in self.names]


def two_namespaces():
  if not shutil.which("ip") or os.getuid() != 0:
    raise Skip("network namespaces take root and the program ip")
  return two_machines()


@test
def two_network_namespaces():
  with two_namespaces() as machines:
    output, codes, errors = ranks(torchrun(2, "10.77.0.1"), prefixes=machines.prefixes())
  equal(codes, [0, 0], errors)
  tells(output, 2, "torchrun", "tcp")


@test
def a_delay_of_the_kernel_between_two_namespaces():
  with two_namespaces() as machines:
    words = ["tc", "-n", machines.names[1], "qdisc", "add", "dev", "icl0", "root", "netem", "delay", "20ms"]
    made = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode:
      raise Skip(f"tc cannot delay packets here: {made.stdout.strip()}")
    output, codes, errors = ranks(torchrun(2, "10.77.0.1"), prefixes=machines.prefixes())
  equal(codes, [0, 0], errors)
  tells(output, 2, "torchrun", "tcp")


@test
def a_machine_that_is_cut_off():
  with two_namespaces() as machines:
    started = [subprocess.Popen([*prefix, ICL, SCRIPT, "wait", "2"], env=environment(**own), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for prefix, own in zip(machines.prefixes(), torchrun(2, "10.77.0.1"))]
    pid_of(started[1])
    machines.ip("-n", machines.names[0], "link", "set", "icl0", "down")
    errors = [process.communicate(timeout=PATIENCE)[1] for process in started]
  for r in range(2):
    contains(errors[r], f"rank {1 - r} on {socket.gethostname()} gave no sign of life for 2 s")


close()
