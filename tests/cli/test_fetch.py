"""`icl data fetch`: sets are downloaded from a server on loopback that misbehaves in the ways that servers do."""

import gzip
import hashlib
import http.server
import io
import os
import re
import resource
import shutil
import signal
import tarfile
import threading
import time

from harness import (CIFAR10, PATIENCE, Terminal, cifar10_files, close, contains, environment, equal, failure, folder, lacks,
                     read_bytes, run, start, success, test, write_mnist)

# ---- a server ----


class Handler(http.server.BaseHTTPRequestHandler):
  """Serves server.files, name: bytes, in the manner that the first part of the path says: /MANNER/NAME."""

  protocol_version = "HTTP/1.1"

  def do_GET(self):
    _, manner, name = re.sub("^http://[^/]*", "", self.path).split("/", 2)  # a proxy is asked for all of it
    self.server.requests.append((manner, name, self.headers.get("Range")))
    if manner == "moved":
      self.answer(302, b"", Location=f"/good/{name}")
    elif manner == "absent" or name not in self.server.files:
      self.answer(404, b"not here")
    elif manner == "broken":
      self.answer(500, b"oops")
    else:
      self.send(manner, self.server.files[name])

  def answer(self, code, body, **headers):
    self.send_response(code)
    for key, value in headers.items():
      self.send_header(key.replace("_", "-"), value)
    self.send_header("Content-Length", str(len(body)))
    self.end_headers()
    self.wfile.write(body)

  def send(self, manner, content):
    """The file, from where the request asks for it unless ranges are not known."""
    if manner == "wrong":
      content = bytes(byte ^ 1 for byte in content)
    asked, first = self.headers.get("Range"), 0
    if asked and manner != "norange":
      first = int(asked[len("bytes="):].split("-")[0])
    body = content[first:]
    self.send_response(206 if asked and manner != "norange" else 200)
    if asked and manner != "norange":
      self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
    self.send_header("Content-Length", str(len(body)))
    self.end_headers()
    if manner == "cut":
      self.wfile.write(body[:max(1, len(content) // 3)])
      self.close_connection = True
    elif manner == "mute":
      self.close_connection = True
    elif manner == "slow":
      for at in range(0, len(body), 1000):
        self.wfile.write(body[at:at + 1000])
        self.wfile.flush()
        time.sleep(0.02)
    else:
      self.wfile.write(body)

  def handle(self):
    try:
      super().handle()
    except OSError:
      pass  # the client was stopped

  def log_message(self, *_):
    pass


class serving:
  """A server of files that lasts as long as its with block; `requests` lists what was asked for."""

  def __init__(self, files):
    self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    self.server.daemon_threads = True
    self.server.files, self.server.requests = files, []
    self.files, self.requests = files, self.server.requests

  def __enter__(self):
    threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
    return self

  def __exit__(self, *_):
    self.server.shutdown()
    self.server.server_close()

  def url(self, manner):
    return f"http://127.0.0.1:{self.server.server_port}/{manner}"


def mnist_files():
  """A small set in the files of MNIST, compressed: name: bytes."""
  with folder() as where:
    write_mnist(where.path, train=64, test_images=20)
    names = sorted(os.listdir(where.path))
    return {f"{name}.gz": gzip.compress(read_bytes(where / name), 0, mtime=0) for name in names}


MNIST = mnist_files()


def code(files, name="mnist"):
  """`icl data` with the digests of these files in place of the published ones."""
  listed = ", ".join(f'{{ "{file}", "{hashlib.md5(content).hexdigest()}" }}' for file, content in files.items())
  return f'require "icl.data.sources".{name}.files = {{ {listed} }} return require "icl.commands.data"(arg)'


def fetch(server, manner, where, *more, files=None, name="mnist", **options):
  return run("-e", code(files or MNIST, name), "fetch", name, "--data", where, "--from", server.url(manner), *more,
             **options)


def check_read(where, name="mnist", count=64):
  out = success(run("data", "info", name, "--data", where))
  contains(out, f"train: {count} images")


# ---- downloads ----


@test
def a_set_is_downloaded():
  with folder() as where, serving(MNIST) as server:
    out = success(fetch(server, "good", where / "sets/below"))
    contains(out, "train-images-idx3-ubyte.gz: 0.1 MB in ", f"mnist is in {where / 'sets/below/mnist'}")
    equal(sorted(os.listdir(where / "sets/below/mnist")), sorted(MNIST))
    equal(os.listdir(where / "sets/below"), ["mnist"])
    check_read(where / "sets/below")
    del server.requests[:]
    contains(success(fetch(server, "good", where / "sets/below")), "mnist is there already, in")
    equal(server.requests, [])


@test
def the_folder_of_the_user_is_the_default():
  with folder() as where, serving(MNIST) as server:
    env = environment(HOME=where.path, XDG_DATA_HOME=where / "data")
    success(run("-e", code(MNIST), "fetch", "mnist", "--from", server.url("moved") + "//", env=env))
    contains(success(run("data", "info", "mnist", env=env)), where / "data/icl/mnist")


@test
def without_a_home_a_place_must_be_named():
  env = environment()
  del env["HOME"]
  contains(failure(run("data", "fetch", "kmnist", "--from", "http://127.0.0.1:9", env=env), 2),
           "there is no home folder; --data names a place")


@test
def breaks_are_gone_over():
  with folder() as where, serving(MNIST) as server:
    out = success(fetch(server, "cut", where.path))
    contains(out, "train-images-idx3-ubyte.gz: the connection broke at")
    asked = [given for _, name, given in server.requests if name == "train-images-idx3-ubyte.gz"]
    third = len(MNIST["train-images-idx3-ubyte.gz"]) // 3
    equal(asked[:3], [None, f"bytes={third}-", f"bytes={2 * third}-"])
    check_read(where.path)


@test
def a_server_that_never_sends_is_given_up():
  with folder() as where, serving(MNIST) as server:
    text = failure(fetch(server, "mute", where.path))
    contains(text, server.url("mute") + "/t10k-images-idx3-ubyte.gz: ")
    lacks(text, "are kept")
    equal(os.listdir(where.path), [])


@test
def a_server_without_ranges_begins_again():
  with folder() as where, serving(MNIST) as server:
    name = sorted(MNIST)[0]
    os.makedirs(where / ".mnist.part")
    where.write(f".mnist.part/{name}.part", MNIST[name][:50])
    out = success(fetch(server, "norange", where.path))
    contains(out, f"{name}: goes on at 0.0 MB", f"{name}: the server cannot go on in the middle, so it begins again")
    check_read(where.path)


@test
def what_is_left_of_another_file_is_found_out():
  with folder() as where, serving(MNIST) as server:
    name = sorted(MNIST)[0]
    os.makedirs(where / ".mnist.part")
    for rubbish in (b"x" * 50, b"x" * (len(MNIST[name]) + 50), b"x" * len(MNIST[name])):
      where.write(f".mnist.part/{name}.part", rubbish)
      contains(success(fetch(server, "good", where.path)), "what was there is of another file, so it begins again")
      check_read(where.path)
      shutil.rmtree(where / "mnist")
      os.makedirs(where / ".mnist.part")


@test
def finished_files_are_not_loaded_twice():
  with folder() as where, serving(dict(MNIST)) as server:
    gone = sorted(MNIST)[-1]
    del server.files[gone]
    contains(failure(fetch(server, "good", where.path)), f"{server.url('good')}/{gone}: the server answers 404")
    equal(os.listdir(where.path), [".mnist.part"])
    contains(failure(run("data", "info", "mnist", "--data", where.path)), "mnist is not there",
             f"`icl data fetch mnist --data {where.path}` gets them")
    server.files[gone] = MNIST[gone]
    del server.requests[:]
    success(fetch(server, "good", where.path))
    equal([name for _, name, _ in server.requests], [gone])
    check_read(where.path)


@test
def wrong_contents_are_refused():
  with folder() as where, serving(MNIST) as server:
    name = sorted(MNIST)[0]
    digest = hashlib.md5(MNIST[name]).hexdigest()
    contains(failure(fetch(server, "wrong", where.path)), f"{server.url('wrong')}/{name}: its MD5 is ",
             f" and should be {digest}: the server sent something else, which was removed")
    equal(os.listdir(where.path), [])


@test
def published_digests_are_asked_for():
  with folder() as where, serving(MNIST) as server:
    text = failure(run("data", "fetch", "mnist", "--data", where.path, "--from", server.url("good")))
    contains(text, "should be f68b3c2dcbeaaa9fbdd348bbdeb94873")


@test
def servers_that_refuse():
  with folder() as where, serving(MNIST) as server:
    contains(failure(fetch(server, "broken", where.path)), "the server answers 500")
    equal(os.listdir(where.path), [])
  with folder() as where:
    failure(run("data", "fetch", "mnist", "--data", where / "new/sets", "--from", "http://127.0.0.1:1/"))
    equal(os.path.exists(where / "new"), False)
    contains(failure(run("data", "fetch", "mnist", "--data", where.path, "--from", "http://127.0.0.1:1/")),
             "http://127.0.0.1:1/train-images-idx3-ubyte.gz: ", "connect")
    contains(failure(run("data", "fetch", "mnist", "--data", where.path, "--from", "gopher://127.0.0.1/")), "gopher")
    contains(failure(run("data", "fetch", "mnist", "--data", where.path, "--from", f"file://{where.path}/")), "file://")
    equal(os.listdir(where.path), [])


@test
def another_mirror_is_tried():
  with folder() as where, serving(MNIST) as server:
    mirrors = ", ".join(f'"{server.url(manner)}"' for manner in ("absent", "wrong", "good"))
    text = f'require "icl.data.sources".mnist.mirrors = {{ {mirrors} }} ' + code(MNIST)
    success(run("-e", text, "fetch", "mnist", "--data", where.path))
    check_read(where.path)


@test
def a_proxy_is_used():
  with folder() as where, serving(MNIST) as server:
    env = environment(http_proxy=server.url(""))
    success(run("-e", code(MNIST), "fetch", "mnist", "--data", where.path, "--from", "http://nowhere.invalid/good",
                env=env))
    check_read(where.path)


@test
def a_folder_is_an_address_too():
  with folder() as where:
    os.mkdir(where / "mirror")
    for name, content in MNIST.items():
      where.write(f"mirror/{name}", content)
    success(run("-e", code(MNIST), "fetch", "mnist", "--data", where / "sets", "--from", f"file://{where.path}/mirror"))
    check_read(where / "sets")


def limit(largest):
  """For `before`: files of the program cannot grow beyond this, as if the disk were full."""
  signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


@test
def a_full_disk():
  files = {name: content + bytes(100000) for name, content in MNIST.items()}
  with folder() as where, serving(files) as server:
    name = sorted(files)[0]
    text = failure(fetch(server, "good", where.path, files=files, before=lambda: limit(50000)))
    contains(text, f"{where.path}/.mnist.part/{name}.part: cannot write it: File too large",
             "0.1 MB of it are kept, and the same command goes on there")
    equal(os.listdir(where.path), [".mnist.part"])


@test
def interrupted_and_killed_downloads_go_on():
  size = len(MNIST["train-images-idx3-ubyte.gz"])
  with folder() as where, serving(MNIST) as server:
    part = where / ".mnist.part/train-images-idx3-ubyte.gz.part"
    for number in (signal.SIGINT, signal.SIGKILL):
      program = start("-e", code(MNIST), "fetch", "mnist", "--data", where.path, "--from", server.url("slow"))
      before = os.path.getsize(part) if os.path.exists(part) else 0
      deadline = time.monotonic() + PATIENCE
      while not (os.path.exists(part) and before + 1500 < os.path.getsize(part)):
        assert time.monotonic() < deadline and program.poll() is None, program.communicate()
        time.sleep(0.005)
      program.send_signal(number)
      program.communicate(timeout=PATIENCE)
      equal(program.returncode, -number)
      assert 1500 < os.path.getsize(part) < size, os.path.getsize(part)
      equal(os.listdir(where.path), [".mnist.part"])
    contains(success(fetch(server, "good", where.path)), "train-images-idx3-ubyte.gz: goes on at")
    check_read(where.path)


@test
def one_process_at_a_time():
  with folder() as where, serving(MNIST) as server:
    program = start("-e", code(MNIST), "fetch", "mnist", "--data", where.path, "--from", server.url("slow"))
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(where / ".mnist.part/t10k-images-idx3-ubyte.gz.part"):
      assert time.monotonic() < deadline and program.poll() is None, program.communicate()
      time.sleep(0.005)
    contains(failure(fetch(server, "good", where.path)), f"{where.path}/mnist: another process works on it")
    program.kill()
    program.communicate()


@test
def what_lies_in_the_place_stays():
  with folder() as where, serving(MNIST) as server:
    os.mkdir(where / "mnist")
    where.write("mnist/notes.txt", "mine")
    contains(failure(fetch(server, "good", where.path)), f"{where.path}/mnist: it is there already; move it away")
    equal(server.requests, [])
    equal(os.listdir(where / "mnist"), ["notes.txt"])


@test
def a_bar_on_a_terminal():
  with folder() as where, serving(MNIST) as server:
    with Terminal("-e", code(MNIST), "fetch", "mnist", "--data", where.path, "--from", server.url("slow"),
                  columns=120) as terminal:
      terminal.expect(r"train-images-idx3-ubyte.gz  \[#+\.+\]  0\.\d MB of 0\.\d MB  \d+\.\d MB/s  \d+ s left")
      terminal.expect("mnist is in")
      equal(terminal.end(), 0)


# ---- archives ----


def tar_gz(entries):
  """An archive of { name: bytes }."""
  out = io.BytesIO()
  with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
    for name, content in entries.items():
      about = tarfile.TarInfo(name)
      about.size = len(content)
      archive.addfile(about, io.BytesIO(content))
  return out.getvalue()


@test
def an_archive_is_unpacked():
  files = cifar10_files()
  entries = {f"cifar-10-batches-bin/{name}": content for name, content in files.items()}
  entries["cifar-10-batches-bin/batches.meta.txt"] = "\n".join(CIFAR10).encode() + b"\n"
  whole = {"../../evil.txt": b"no", "cifar-10-batches-bin/readme.html": b"<html>", **entries}
  archives = {"cifar-10-binary.tar.gz": tar_gz(whole)}
  with folder() as where, serving(archives) as server:
    text = failure(fetch(server, "good", where.path, files=archives, name="cifar10", before=lambda: limit(20_000_000)))
    contains(text, "/data_batch_1.bin: cannot write it: File too large")
    equal(os.listdir(where / ".cifar10.part/whole"), [])
    success(fetch(server, "good", where.path, files=archives, name="cifar10"))
    equal([name for _, name, _ in server.requests], ["cifar-10-binary.tar.gz"])
    equal(os.listdir(where.path), ["cifar10"])
    equal(sorted(os.listdir(where / "cifar10")), sorted(os.path.basename(name) for name in entries))
    for name, content in files.items():
      assert read_bytes(where / f"cifar10/{name}") == content, name
    check_read(where.path, "cifar10", 50000)


@test
def archives_that_are_not_the_set():
  small = {"x/test_batch.bin": b"x"}
  packed = tar_gz(small)
  plain = gzip.decompress(packed)
  cases = [
    (packed, "there is no file data_batch_1.bin in this archive"),
    (packed[:len(packed) // 2], "the compressed file is cut at byte"),
    (gzip.compress(plain[:600]), "it is cut: its contents, decompressed, end at byte 600"),
    (gzip.compress(b"x" + plain[1:]), ""),
    (gzip.compress(b"no tar archive" * 100), "byte 0 of its contents should begin an entry of a tar archive"),
    (b"", "it is cut"),
  ]
  for content, message in cases:
    archives = {"cifar-10-binary.tar.gz": content}
    with folder() as where, serving(archives) as server:
      contains(failure(fetch(server, "good", where.path, files=archives, name="cifar10")), message)
      equal(os.listdir(where.path), [".cifar10.part"])


close()
