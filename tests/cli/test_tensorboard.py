"""Event files of icl against the reader of TensorBoard, the Python package tensorboard."""

import io
import os

from harness import Skip, close, contains, equal, folder, lacks, read_bytes, run, success, test

try:
  import numpy
  import safetensors.numpy
  from PIL import Image
  from tensorboard import context
  from tensorboard.backend.event_processing import data_provider, event_accumulator, plugin_event_multiplexer
  from tensorboard.plugins import base_plugin
  from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
  missing = None
except ImportError as error:
  missing = str(error)

# A run of two epochs of four steps, of which it stores weights and the first images. Words: the folder; the step that
# it is resumed at, or -; how it ends.
RUN = """
local icl, core = require "icl", require "icl.core"
local folder, resumed, state = arg[1], math.tointeger(arg[2]), arg[3]
local opt = { seed = 3, schedule = "cosine", nesterov = true, milestones = { 80, 120 }, data = "d\\xff" }
local sink = icl.sinks.tensorboard { log_period = 2, histograms = true, options = opt }
local bytes, labels = {}, {}
for k = 1, 40 * 5 * 7 * 3 do bytes[k] = string.char(k * k % 251) end
for k = 1, 40 do labels[k] = k % 2 end
local set = icl.data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = { 40, 5, 7, 3 } }),
                           labels = icl.tensor(labels, { dtype = "i64" }), classes = 2, mean = { 0.5, 0.5, 0.5 },
                           std = { 0.2, 0.2, 0.2 } }
local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(105, 2) }
local optimizer, first = icl.optim.sgd(model, {}), nil
local loader = icl.data.loader(set, { batch_size = 10, training = true, chain = icl.augment.chain {
  icl.augment.random_crop { padding = 1 }, icl.augment.normalize {} } })
local evaluation = icl.data.loader(set, { batch_size = 20, title = "Val" })
local run = icl.run { epochs = 2, model = model,
                      sinks = { { turn = function(_, run, loop) sink:turn(run, loop) end } } }
run.folder, run.resumed_step = folder, resumed
function run:warn(text) print("warning: " .. text) end
if resumed then
  run.epoch, run.step = resumed // 4, resumed
  sink:cut(resumed)
end
sink:open(run)
for epoch in run:epochs() do
  local record = { epoch = epoch, epochs = 2, lr = 0.25, images_per_second = 512, time = 1000.5 + epoch }
  for batch in run:batches(loader) do
    if run.step == 0 then first = batch.image:keep() end
    local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
    loss:backward()
    optimizer:step(0.01)
    run:log { loss = loss, lr = 0.5 }
  end
  record.train = { loss = run.average.loss }
  for batch in run:batches(evaluation) do
    run:log { loss = icl.loss.cross_entropy(model(batch.image), batch.target), top1 = 0.5, top5 = 1 }
  end
  record.step, record.val = run.step, { loss = run.average.loss, top1 = 0.5, top5 = 1, count = 9 }
  sink:report(record)
  model:save(("%s/%d.safetensors"):format(folder, epoch))
end
if first then core.safetensors_write(folder .. "/first.safetensors", { { name = "first", tensor = first } }) end
if state ~= "killed" then sink:close { state = state, epoch = 2, step = run.step, time = 2000 } end
"""


def needs_tensorboard():
  if missing:
    raise Skip(f"{missing}; pip install tensorboard numpy pillow safetensors")


def train(where, resumed="-", state="finished"):
  """The output of that run, whose folder is `where`/run."""
  os.makedirs(where / "run", exist_ok=True)
  script = where.write("run.lua", RUN)
  return success(run(script, where / "run", str(resumed), state))


def event_files(where):
  return sorted(name for name in os.listdir(where / "run") if name.startswith("events.out.tfevents."))


def load(path):
  reader = event_accumulator.EventAccumulator(path, size_guidance={kind: 0 for kind in
                                                                   ("scalars", "images", "histograms", "tensors")})
  return reader.Reload()


def scalars(reader, tag):
  return [(event.step, round(event.value, 5)) for event in reader.Scalars(tag)]


@test
def scalars_of_reports_and_of_steps():
  needs_tensorboard()
  with folder() as where:
    lacks(train(where), "warning")
    reader = load(where / "run")
    tags = reader.Tags()["scalars"]
    equal(sorted(tags), sorted(
      ["Train/Loss", "Train/LearningRate", "Train/ImagesPerSecond", "Train/Time", "Train/RunningLoss",
       "Train/RunningLearningRate", "Val/Loss", "Val/Acc1", "Val/Acc5", "Val/Time"]))
    equal(scalars(reader, "Train/LearningRate"), [(4, 0.25), (8, 0.25)])
    equal(scalars(reader, "Train/ImagesPerSecond"), [(4, 512), (8, 512)])
    equal(scalars(reader, "Val/Acc1"), [(4, 0.5), (8, 0.5)])
    equal(scalars(reader, "Train/RunningLearningRate"), [(step, 0.5) for step in (2, 4, 6, 8)])
    running, total = scalars(reader, "Train/RunningLoss"), scalars(reader, "Train/Loss")
    equal([running[1], running[3]], total)
    equal([event.wall_time for event in reader.Scalars("Val/Loss")], [1001.5, 1002.5])
    assert all(value >= 0 for _, value in scalars(reader, "Train/Time"))


def buckets(values):
  """Limits and counts as PyTorch's writer makes them."""
  edges, edge = [], 1e-12
  while edge < 1e20:
    edges.append(edge)
    edge *= 1.1
  counts, limits = numpy.histogram(values, bins=[-x for x in reversed(edges)] + [0] + edges)
  there = numpy.nonzero(counts)[0]
  return limits[there[0]:there[-1] + 2].tolist(), counts[there[0] - 1:there[-1] + 1].tolist()


@test
def histograms_of_the_weights():
  needs_tensorboard()
  with folder() as where:
    train(where)
    reader = load(where / "run")
    names = reader.Tags()["histograms"]
    for k, epoch in enumerate((1, 2)):
      weights = safetensors.numpy.load_file(where / f"run/{epoch}.safetensors")
      equal(sorted(weights), sorted(names))
      for name in names:
        event = reader.Histograms(name)[k]
        histogram, values = event.histogram_value, weights[name].astype("float64").ravel()
        equal(event.step, 4 * epoch)
        equal((histogram.min, histogram.max, histogram.num), (values.min(), values.max(), values.size))
        assert abs(histogram.sum - values.sum()) < 1e-9
        assert abs(histogram.sum_squares - (values**2).sum()) < 1e-9
        limits, counts = buckets(values)
        equal(list(histogram.bucket_limit), limits)
        equal(list(histogram.bucket), counts)


@test
def the_first_batch_as_a_picture():
  needs_tensorboard()
  with folder() as where:
    train(where)
    events = load(where / "run").Images("Train/Image")
    equal(len(events), 1)
    picture = numpy.array(Image.open(io.BytesIO(events[0].encoded_image_string)))
    equal((events[0].height, events[0].width), (2 * 7 + 2, 8 * 9 + 2))
    expected = numpy.zeros((16, 74, 3), "uint8")
    for k, image in enumerate(safetensors.numpy.load_file(where / "run/first.safetensors")["first"]):
      row, column = 2 + 7 * (k // 8), 2 + 9 * (k % 8)
      spread = max(image.max() - image.min(), 1e-5)
      expected[row:row + 5, column:column + 7] = ((image - image.min()) / spread * 255).astype("uint8")
    equal(picture.shape, expected.shape)
    assert numpy.abs(picture.astype(int) - expected).max() <= 1


def sessions(where):
  """What the page HPARAMS shows of all runs below a folder."""
  multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(where.path)
  multiplexer.Reload()
  board = base_plugin.TBContext(data_provider=data_provider.MultiplexerDataProvider(multiplexer, where.path))
  backend, request_context = backend_context.Context(board), context.RequestContext()
  metadata = backend.hparams_metadata(request_context, "")
  experiment = backend.experiment_from_metadata(request_context, "", True, metadata, [])
  request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=10, allowed_statuses=[0, 1, 2, 3])
  for metric in experiment.metric_infos:
    request.col_params.add(metric=metric.name)
  handler = list_session_groups.Handler(request_context, backend, "", request)
  return experiment, handler.run().session_groups


@test
def options_and_the_end_as_hparams():
  needs_tensorboard()
  with folder() as where:
    train(where)
    experiment, groups = sessions(where)
    equal(sorted(info.name for info in experiment.hparam_infos), ["data", "milestones", "nesterov", "schedule",
                                                                     "seed"])
    contains([info.name.tag for info in experiment.metric_infos], "Val/Acc1", "Train/Loss")
    equal(len(groups), 1)
    hparams = groups[0].hparams
    equal((hparams["seed"].number_value, hparams["nesterov"].bool_value), (3, True))
    equal(hparams["data"].string_value, "d\ufffd")
    equal((hparams["schedule"].string_value, hparams["milestones"].string_value), ("cosine", "80,120"))
    equal(groups[0].sessions[0].status, api_pb2.STATUS_SUCCESS)
    equal(groups[0].sessions[0].end_time_secs, 2000)
    contains([value.name.tag for value in groups[0].metric_values], "Val/Acc1")


@test
def a_run_that_is_resumed_ends_as_the_last_one_did():
  needs_tensorboard()
  with folder() as where:
    train(where, state="stopped")
    equal(sessions(where)[1][0].sessions[0].status, api_pb2.STATUS_UNKNOWN)
    train(where, resumed=4)
    equal(sessions(where)[1][0].sessions[0].status, api_pb2.STATUS_SUCCESS)


def rename_to_order(where):
  """Gives event files of one second names in the order in which they were made, as those of longer runs have."""
  for k, name in enumerate(sorted(event_files(where), key=lambda name: os.stat(where / f"run/{name}").st_mtime_ns)):
    os.rename(where / f"run/{name}", where / f"run/events.out.tfevents.{k:010d}")


@test
def what_a_resumed_run_repeats_is_there_once():
  needs_tensorboard()
  with folder() as where:
    train(where, state="killed")
    before = load(where / "run")
    for resumed, state in ((4, "killed"), (4, "finished")):
      rename_to_order(where)
      train(where, resumed, state)
      rename_to_order(where)
    after = load(where / "run")
    equal(len(event_files(where)), 3)
    for tag in ("Train/LearningRate", "Val/Acc1", "Train/RunningLearningRate"):
      equal(scalars(after, tag), scalars(before, tag))
    equal([event.step for event in after.Histograms("1.weight")], [4, 8])
    equal([event.step for event in after.Images("Train/Image")], [1])


@test
def a_run_that_is_resumed_at_its_end_keeps_its_last_report():
  needs_tensorboard()
  with folder() as where:
    train(where, state="killed")
    rename_to_order(where)
    train(where, resumed=8)
    reader = load(where / "run")
    equal(scalars(reader, "Val/Acc1"), [(4, 0.5), (8, 0.5)])
    equal(sessions(where)[1][0].sessions[0].status, api_pb2.STATUS_SUCCESS)


@test
def a_file_that_was_cut_in_its_last_record():
  needs_tensorboard()
  with folder() as where:
    train(where)
    path = where / f"run/{event_files(where)[0]}"
    content = read_bytes(path)
    starts, at = [], 0
    while at < len(content):
      starts.append(at)
      at += 16 + int.from_bytes(content[at:at + 8], "little")
    equal(at, len(content))
    last_scalars = len(starts) - 4  # behind it: two histograms, the end of the session
    for length in range(starts[last_scalars], starts[last_scalars + 1]):
      where.write(path, content[:length])
      equal(scalars(load(path), "Val/Acc1"), [(4, 0.5)])
    where.write(path, content[:starts[last_scalars + 1]])
    equal(scalars(load(path), "Val/Acc1"), [(4, 0.5), (8, 0.5)])


close()
