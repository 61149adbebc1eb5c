"""The program: its command line, its exit codes, and what it says when something is wrong."""

import json
import os
import re
import resource
import signal
import struct
import subprocess

from harness import (ICL, ROOT, Skip, close, comma_locale, contains, environment, equal, failure, folder, lacks,
                     read_bytes, run, sanitized, start, success, test, write_mnist)


RECIPE = os.path.join(ROOT, "recipes", "resnet_preact.lua")


def script(code, *arguments, **options):
  """Runs code as a recipe in a file; -> the result, and the name of the file."""
  with folder() as here:
    path = here.write("recipe.lua", code)
    return run(path, *arguments, **options)


# ---- the command line ----


@test
def code_on_the_command_line():
  equal(success(run("-e", "print(icl.ones({ 2, 3 }):sum():item())")), "6.0\n")
  equal(success(run("-e", "print(#arg, arg[1], ...)", "a", "b")), "2\ta\ta\tb\n")


@test
def version_and_help_ignore_everything_else():
  contains(success(run("-v")), "icl 0.", "Lua 5.4", "\ncpu: ", "threads, vector kernels ", "oneDNN")
  equal(success(run("--version")), success(run("-v")))
  text = success(run("-h"))
  contains(text, "FILE.lua", "-e CODE", "-i", "exit codes")
  equal(success(run("--help")), text)
  equal(success(run("-v", "nothing.lua")), success(run("-v")))
  assert max(len(line) for line in text.splitlines()) <= 120


@test
def the_version_names_the_kernels_in_use():
  contains(success(run("-v", env=environment(ICL_ISA="portable"))), "vector kernels portable")
  contains(success(run("-v", env=environment(ICL_ISA="mmx"))), "icl 0.", "ICL_ISA is 'mmx'")


@test
def help_about_a_word():
  contains(success(run("help")), "icl.nn", "icl.schedule")
  contains(success(run("help", "conv2d")), "icl.ops.conv2d(", "icl.nn.conv2d")
  contains(success(run("help", "predict")), "There is a command of that name: icl predict --help\n")
  failure(run("help", "two", "words"), 2)
  contains(failure(run("help", "nosuchword"), 1), "icl help: nothing is called 'nosuchword'")


@test
def a_script_on_standard_input():
  equal(success(run(stdin="print(1 + 1)")), "2\n")
  equal(success(run("-", "a", stdin="print(arg[1], ...)")), "a\ta\n")
  contains(failure(run(stdin="error 'x'")), "stdin:1: x")


@test
def modules_are_found_beside_a_script():
  with folder() as here:
    for name in "beside", "beside/parts", "odd;name":
      os.mkdir(os.path.join(here.path, name))
    here.write("own.lua", "return 'own of the working folder'")
    here.write("beside/own.lua", "return 'own'")
    here.write("beside/parts/init.lua", "return 'parts'")
    here.write("beside/use.lua", "print((require 'own'), (require 'parts'))")
    here.write("odd;name/use.lua", "print((require 'own'))")
    equal(success(run("beside/use.lua", cwd=here.path)), "own\tparts\n")
    equal(success(run(os.path.join(here.path, "beside/use.lua"), cwd="/")), "own\tparts\n")
    equal(success(run("use.lua", cwd=os.path.join(here.path, "beside"))), "own\tparts\n")
    for words in ["-"], ["-e", "print((require 'own'))"], ["odd;name/use.lua"]:
      equal(success(run(*words, stdin="print((require 'own'))", cwd=here.path)), "own of the working folder\n")


@test
def arguments_reach_a_recipe():
  equal(success(script("print(#arg, arg[1], arg[2], ...)", "--one", "-v")), "2\t--one\t-v\t--one\t-v\n")


@test
def given_shares_sums_do_not_depend_on_threads():
  code = """
    local icl = require "icl"
    for _, columns in ipairs { 1, 2, 3, 16, 31, 63, 64, 65, 100, 255, 257 } do
      local x = icl.random.normal { 40000 // columns, columns }
      print(columns, ("%q"):format(x:sum(1):bytes()), ("%q"):format(x:mean(2):sum():bytes()))
    end"""
  one = success(run("--threads", "1", "--shares", "4", "-e", code))
  for threads in "2", "3", "7":
    equal(success(run("--threads", threads, "--shares", "4", "-e", code)), one)


@test
def options_of_the_engine_in_front_of_a_recipe_are_its_own():
  code = """
    local icl = require "icl"
    local opt = icl.options "Mine" : include(icl.options.runtime) : parse(arg)
    local engine = require "icl.core".configured()
    print(opt.threads, opt.shares, opt.precise, engine.threads, engine.shares, engine.precise)"""
  with folder() as here:
    recipe = here.write("mine.lua", code)
    equal(success(run("--threads", "2", "--shares", "3", "--precise", recipe)), "2\t3\ttrue\t2\t3\ttrue\n")
    equal(success(run("--threads", "2", "--precise", recipe, "--threads", "1", "--no-precise")),
          "1\t0\tfalse\t1\tnil\tfalse\n")
    own = here.write("own.lua", "require 'icl'.configure { threads = 3, precise = true }" + code)
    equal(success(run(own)), "0\t0\tfalse\t3\tnil\ttrue\n")
    other = here.write("other.lua", """local icl = require "icl"
      print((icl.options "Other" : value("profile", "fast", "not the engine's") : parse(arg)).profile)""")
    equal(success(run("--profile", other)).splitlines()[0], "fast")


@test
def a_wrong_command_line():
  contains(failure(run("--treads", "2"), 2), "--treads", "did you mean --threads")
  contains(failure(run("-x"), 2), "-x")
  contains(failure(run("-e"), 2), "-e")
  contains(failure(run("absent.lua"), 2), "absent.lua")
  contains(failure(run("--threads", "many", "-e", "x"), 2), "--threads many", "integer")
  contains(failure(run("--device", "gpu9", "-e", "x"), 2), "gpu9")
  contains(failure(run("--device", "ref", "--shares", "2", "-e", "x"), 2), "--shares 2", "device ref")


OPTIONS = """local icl = require "icl"
local options = icl.options "My recipe" : value("speed", 1, "how fast")
"""


@test
def options_end_a_recipe_with_their_code():
  with folder() as here:
    path = here.write("recipe.lua", OPTIONS + "local opt <const> = options:parse(arg)\nprint(opt.speed)")
    equal(success(run(path, "--speed", "3")), "3\n")
    contains(success(run(path, "--help")), "My recipe", "--speed N")
    contains(success(run(path, "--list-presets")), "preset")
    equal(run(path, "--help").stderr, "")
    result = run(path, "--sped", "3")
    equal(failure(result, 2), f"{path}: there is no option --sped (did you mean --speed?); --help lists them\n")
    equal(result.stdout, "")
    equal(failure(run("-e", OPTIONS + "options:parse { 'x' }"), 2),
          "icl: 'x' is not an option; options begin with --\n")


@test
def options_that_nothing_reads_are_told_at_the_end():
  program = '''local icl = require "icl"
    local opt = icl.options "x" : value("used", 1, "") : value("idle", 1, "") : include(icl.options.runtime)
      : parse(arg)
    print(opt.used)'''
  ended = script(program, "--used", "3", "--idle", "4", "--seed", "5", "--threads", "1", "--tensorboard")
  equal(ended.stderr, "icl: warning: --idle has no effect: the program does not read it\n")
  equal(success(ended), "3\n")


@test
def options_that_are_wrong_can_be_caught():
  code = OPTIONS + """
    local ok, message = pcall(options.parse, options, { "--sped" })
    print(ok, message)
    local closed <close> = setmetatable({}, { __close = function() print "closed" end })
    coroutine.wrap(function() options:parse { "--help" } end)()
    print "never" """
  output = success(script(code))
  contains(output, "false\ticl: there is no option --sped", "closed\n", "--speed N")
  lacks(output, "never")


@test
def files_that_cannot_be_read_say_why():
  with folder() as here:
    contains(failure(run(here.path)), here.path, "Is a directory")
    path = here.write("recipe.lua", "print(1)")
    contains(failure(run(path + "/below")), "recipe.lua/below", "Not a directory")


@test
def a_file_without_permission_says_so():
  with folder() as here:
    path = here.write("recipe.lua", "print(1)")
    os.chmod(path, 0)
    if os.access(path, os.R_OK):
      raise Skip("root reads every file")
    contains(failure(run(path)), "recipe.lua", "Permission denied")


@test
def standard_files_that_are_closed():
  with folder() as here:
    for closed in (0, 1, 2):
      recipe = here.write("recipe.lua", """local icl = require "icl"
        for i = 1, 5 do print "out" io.stderr:write "err" end
        icl.nn.linear(2, 2):save(arg[1])
        local kept = io.open(arg[2], "w")
        print "out" io.stderr:write "err"
        print(icl.ones({ 2 }):sum():item())""")
      result = run(recipe, here / "weights.safetensors", here / "kept", before=lambda: os.close(closed))
      equal(result.returncode, 1 if closed == 1 else 0, result.stderr)
      equal(read_bytes(here / "kept"), b"")
      success(script(LOADING.replace("3, 2", "2, 2"), here / "weights.safetensors"))
    contains(failure(run("--help", before=lambda: os.close(1))), "cannot write standard output")
    contains(failure(run("-", before=lambda: os.close(0))), "stdin")


@test
def a_place_without_letters_is_no_command():
  lacks(failure(run(""), 2), "did you mean")


@test
def starts_without_a_home_and_from_anywhere():
  env = environment()
  del env["HOME"]
  equal(success(run("-e", "print(icl.ones({ 2 }):sum():item())", env=env, cwd="/")), "2.0\n")


@test
def the_prompt_goes_on_after_options_that_were_changed_to_what_is_impossible():
  code = """opt = icl.options "x":include(icl.models.resnet.options):parse {}
    opt.depth = 9"""
  text = "print(pcall(icl.models.from_options, opt, { shape = { 8, 8, 3 }, classes = 2 }, 'resnet'))\n"
  text += "print 'still here'\n"
  result = run("-e", code, "-i", stdin=text)
  contains(success(result) + result.stderr, "--depth 9 is impossible", "still here")


# ---- numbers ----


@test
def numbers_have_a_point_in_every_locale():
  with folder() as here:
    variables, name = comma_locale(here.path)
    env = environment(**variables)
    code = """local locale = arg[1]
      assert(os.setlocale(locale), "no locale " .. locale)
      assert(("%.1f"):format(0.5) == "0,5", "it has no comma")
      local icl = require "icl"
      local x = icl.tensor { 0.5, 1.25 }
      print(require "icl.json".encode { a = 0.1, b = { 1e-7 } }, require "icl.core".json_decode "[0.5]"[1] == 0.5)
      print(x, icl.ops.bn_running(icl.ones { 5, 1 }, icl.zeros { 1 }, { row = 2 }):item() == icl.tensor(0.1):item())
      local list = icl.options "x":value("rate", 0.5, "a rate"):value("rates", { 0.5, 1.5 }, "rates", { max = 2.5 })
      print(select(2, list:read { "--help" }))
      print(list:read { "--rate", "0.25" }.rate == 0.25, select(2, list:read { "--rate", "0,25" }))
      print(select(2, list:read { "--rates", "3.5" }))
      print(pcall(icl.schedule, { epochs = -1.5 }))
      print(pcall(icl.ops.dropout, x, icl.ones { 2 }, 0.5))
      print(icl.describe_plan())"""
    text = success(script(code, name, env=env))
    contains(text, '{"a":0.1,"b":[1e-07]}\ttrue', "[0.5000, 1.2500]", "f32 (2)\ttrue", "(default 0.5)",
             "(default 0.5,1.5, at most 2.5)", "true\t--rate 0,25: it must be a finite number",
             "--rates 3.5: it must be at most 2.5", "epochs is -1.5;", " MB")
    rest = text.replace("0.5,1.5", "").replace("--rate 0,25", "")
    assert not re.search(r"\d,\d", rest), rest
    write_mnist(here.path, 32, 16)
    recipe = here.write("recipe.lua", f"assert(os.setlocale '{name}')\n" + open(RECIPE, encoding="utf-8").read())
    text = success(run(recipe, "--dataset", "fashion_mnist", "--data", here.path, "--depth", "8", "--epochs", "1",
                       "--initial-channels", "4", "--batch-size", "16", "--base-lr", "0.25", env=env))
    contains(text, "--base-lr 0.25", "lr 0.", " loss ", "Test error ")
    assert not re.search(r"(lr|loss|acc@1|Elapsed|error) [0-9]+,", text), text
    contains(failure(run(recipe, "--base-lr", "0,25", env=env), 2), "--base-lr 0,25: it must be a finite number")


# ---- recipes that fail ----


@test
def a_syntax_error_names_its_line():
  message = failure(script("local x = 1\nlocal y = = 2\n"))
  contains(message, "recipe.lua:2:")


@test
def an_error_names_its_line_and_the_calls():
  message = failure(script("local function f() error 'on purpose' end\nlocal function g() f() return 1 end\n\ng()\n"))
  contains(message, "recipe.lua:1: on purpose", "recipe.lua:2", "recipe.lua:4")
  lacks(message, "[C]", "icl/program/")


@test
def any_value_can_be_an_error():
  contains(failure(script("error { code = 5 }")), "table", "{ code = 5 }")
  contains(failure(script("error(setmetatable({}, { __tostring = function() return 'my text' end }))")), "my text")
  failure(script("error()"))


@test
def what_a_recipe_returns_or_exits_with():
  success(script("return 5"))
  equal(script("os.exit(5)").returncode, 5)
  equal(script("os.exit(false)").returncode, 1)


@test
def globals_are_frozen_in_recipes():
  contains(failure(script("\nmodel = 5")), "recipe.lua:2:", "model", "local")
  contains(failure(script("local batches = 1\nprint(batchs)")), "recipe.lua:2:", "batchs", "did you mean batches")
  contains(failure(script("prnit(1)")), "did you mean print")


@test
def a_mistyped_name_is_suggested():
  contains(failure(script("local icl = require 'icl'\nicl.ones({ 2 }):rellu()")), "recipe.lua:2:", "did you mean relu")
  contains(failure(script("local icl = require 'icl'\nicl.ones({ 1, 2, 2, 1 }):max_pool2d { kernal = 2 }")),
           "recipe.lua:2:", "did you mean kernel")
  contains(failure(script("local icl = require 'icl'\nicl.nn.conv2d(1, 2, 3, { strid = 2 })")),
           "recipe.lua:2:", "did you mean stride")


# ---- tensors ----


@test
def shapes_and_dtypes_that_do_not_fit_name_op_shapes_and_layer():
  message = failure(script("""local icl = require "icl"
    local model = icl.nn.sequential { { "body", icl.nn.sequential { { "fc", icl.nn.linear(4, 3) } } } }
    model(icl.ones { 2, 5 })"""))
  contains(message, "recipe.lua:3", "matmul", "(2, 5)", "(4, 3)", "body.fc")
  contains(failure(script("local icl = require 'icl'\nlocal x = icl.ones { 2, 3 } + icl.ones { 4 }")),
           "recipe.lua:2", "add", "(2, 3)", "(4)")
  contains(failure(script("local icl = require 'icl'\nicl.ops.gather(icl.ones { 2 }, icl.ones { 2 })")),
           "recipe.lua:2", "gather", "f32", "i64")
  contains(failure(script("local icl = require 'icl'\nreturn icl.ones { 2 } < icl.ones { 2 }")), "recipe.lua:2", "lt")


@test
def a_tensor_that_was_not_kept_says_so():
  message = failure(script("""local icl = require "icl"
    local inner
    icl.step(function() inner = icl.ones { 2 } * 3 return inner:sum() end)
    print(inner:totable())"""))
  contains(message, "recipe.lua:4", "keep")


@test
def a_parameter_without_gradient_is_named():
  result = script("""local icl = require "icl"
    local model = icl.nn.sequential { { "a", icl.nn.linear(2, 2) }, { "b", icl.nn.linear(2, 2) } }
    local optimizer = icl.optim.sgd(model)
    local before = model.b.weight:bytes()
    for _ = 1, 2 do
      icl.step(function()
        model.a(icl.ones { 1, 2 }):sum():backward()
        optimizer:step(0.1)
      end)
    end
    assert(model.b.weight:bytes() == before)
    icl.step(function() optimizer:step(0.1) end)""")
  message = failure(result)
  equal(message.count("icl: warning: icl.optim.sgd: no gradient for b.weight, b.bias: "), 1)
  contains(message, "parameter a.weight has no gradient, nor has any other; call loss:backward()")


@test
def sizes_that_no_memory_holds():
  contains(failure(run("-e", "icl.zeros { 1000000, 1000000 }")), "memory")
  contains(failure(run("-e", "icl.zeros { 1000000, 1000000, 1000000 }")), "elements")
  failure(run("-e", "icl.zeros { -1 }"))
  contains(failure(run("-e", "icl.zeross { 1 }")), "there is no 'zeross' (did you mean zeros?)")


LABELS = """local labels = icl.tensor({ 1, 4 }, { dtype = "i64" })
  icl.step(function() icl.loss.cross_entropy(icl.zeros { 2, 5 }, labels + 1):keep() end)"""


@test
def check_nan_names_labels_that_a_step_computes():
  success(run("-e", LABELS))
  contains(failure(run("--check-nan", "-e", LABELS)), "one_hot made a NaN of a label that is none of its classes")


@test
def a_step_larger_than_memory_is_refused_before_it_runs():
  message = failure(run("-e", """local model = icl.models.resnet_preact { depth = 20 }
    local x = icl.zeros({ 4000000, 8, 8, 3 }, "u8")
    icl.step(function()
      model(x:cast "f32"):sum():backward()
      for _, p in ipairs(model:parameters()) do p:write(p - p.grad) end
    end)"""))
  contains(message, "memory", "GB", "batch")


def limited(code, megabytes):
  """Runs code with so much address space; a sanitizer needs more for itself alone."""
  if sanitized():
    raise Skip("a sanitizer reserves more address space than the limit")
  limit = megabytes << 20
  return run("-e", code, before=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))


@test
def little_memory_gives_an_error_and_no_crash():
  for megabytes in (100, 200, 300):
    contains(failure(limited("local t = {} for i = 1, 400 do t[i] = icl.ones { 1000, 1000 } end", megabytes)), "memory")
  code = """local x = icl.state(icl.full({ 1000, 32, 32, 64 }, 1, "u8"))
    icl.step(function() return x:cast "f32":exp():permute(1, 4, 2, 3):sum { 3, 4 } end)"""
  for megabytes in (200, 300, 400, 500):
    contains(failure(limited(code, megabytes)), "memory")


# ---- files ----


@test
def missing_data_says_where_it_looked_and_what_helps():
  with folder() as here:
    recipe = os.path.join(ROOT, "recipes", "resnet_preact.lua")
    message = failure(run(recipe, "--dataset", "kmnist", "--data", here.path))
    contains(message, here.path, "train-images-idx3-ubyte", "kmnist")
    contains(failure(run(recipe, "--dataset", "kmnist", "--data", here / "absent")), "absent")
    message = failure(run(recipe, "--dataset", "cifar10", env=environment(HOME=here.path)))
    contains(message, "cifar10", "--data")


@test
def damaged_data_is_named():
  with folder() as here:
    write_mnist(here.path, 64, 16)
    images = here / "train-images-idx3-ubyte"
    content = read_bytes(images)
    recipe = os.path.join(ROOT, "recipes", "resnet_preact.lua")

    def message(damaged, name="train-images-idx3-ubyte"):
      kept = read_bytes(here / name)
      here.write(name, damaged)
      text = failure(run(recipe, "--dataset", "fashion_mnist", "--data", here.path, "--epochs", "1"))
      here.write(name, kept)
      contains(text, name)
      return text

    message(content[:1000])
    message(content + b"x")
    message(b"")
    message(b"\x1f\x8b" + content[2:])
    message(b"\0\0\x08\x01" + content[4:])
    message(content[:4] + struct.pack(">I", 0xffffffff) + content[8:])
    labels = read_bytes(here / "train-labels-idx1-ubyte")
    message(labels[:8] + b"\x0b" + labels[9:], "train-labels-idx1-ubyte")
    message(labels[:-1], "train-labels-idx1-ubyte")


LOADING = "local icl = require 'icl'\nicl.nn.linear(3, 2):load(arg[1])"
SAVING = "local icl = require 'icl'\nicl.nn.linear(3, 2):save(arg[1])"


def save_model(path):
  success(script(SAVING, path))


@test
def damaged_weights_are_named():
  with folder() as here:
    path = here / "weights.safetensors"
    save_model(path)
    content = read_bytes(path)
    size = struct.unpack("<Q", content[:8])[0]
    header, values = json.loads(content[8:8 + size]), content[8 + size:]

    def message(damaged):
      here.write("damaged.safetensors", damaged)
      text = failure(script(LOADING, here / "damaged.safetensors"))
      contains(text, "damaged.safetensors", "recipe.lua:2")
      return text

    def packed(head, data):
      text = json.dumps(head).encode()
      return struct.pack("<Q", len(text)) + text + data

    message(b"")
    message(content[:-1])
    message(content + b"\0")
    message(struct.pack("<Q", 1 << 60) + content[8:])
    message(content[:8] + b"[" + content[9:])
    message(packed({**header, "weight": {**header["weight"], "data_offsets": [0, 1 << 40]}}, values))
    alone = {"weight": {**header["weight"], "data_offsets": [0, 24]}}
    contains(message(packed(alone, bytes(24))), "bias")
    other = {"weight": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]},
             "bias": {"dtype": "F32", "shape": [2], "data_offsets": [32, 40]}}
    contains(message(packed(other, bytes(40))), "weight", "(4, 2)", "(3, 2)")
    contains(failure(script(LOADING, here / "absent.safetensors")), "absent.safetensors")


@test
def no_room_for_weights_leaves_the_old_file():
  with folder() as here:
    path = here / "weights.safetensors"
    save_model(path)
    before = read_bytes(path)
    result = script("local icl = require 'icl'\nicl.nn.linear(300, 200):save(arg[1])", path,
                    before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000)))
    contains(failure(result), "weights.safetensors", "cannot write")
    equal(read_bytes(path), before)
    equal(os.listdir(here.path), ["weights.safetensors"])
    contains(failure(script(SAVING, here / "no/such/w")), "no/such")


# ---- numbers that are not finite ----


@test
def a_loss_that_is_not_finite_stops_the_run():
  with folder() as here:
    write_mnist(here.path, 256, 16)
    arguments = ["--dataset", "fashion_mnist", "--data", here.path, "--depth", "8", "--batch-size", "32",
                 "--epochs", "3", "--schedule", "cosine", "--base-lr", "1e30"]
    message = failure(run(RECIPE, *arguments))
    contains(message, "loss", "nan", "step", "--check-nan")
    message = failure(run(RECIPE, *arguments, "--check-nan"))
    contains(message, "NaN", "in stage", "dropped")


@test
def a_nan_in_an_update_that_runs_block_by_block():
  message = success(run("--check-nan", "-e", """local w, v = icl.state(icl.ones { 9000 }), icl.state(icl.ones { 9000 })
    print(pcall(icl.step, function()
      v:write(v * 2)
      w:write((w - 2):sqrt() * v + 1)
    end))
    print(w:totable()[9000])"""))
  contains(message, "sqrt made a NaN", "dropped", "\n1.0\n")


# ---- pipes ----


@test
def output_to_a_closed_pipe_ends_the_program():
  process = start("-e", "while true do print('line', icl.ones { 2 }) end")
  process.stdout.readline()
  process.stdout.close()
  errors = process.stderr.read()
  code = process.wait(timeout=120)
  assert code in (-signal.SIGPIPE, 1), code
  lacks(errors, "Sanitizer", "traceback")


@test
def output_that_cannot_be_written_is_an_error():
  with open("/dev/full", "w") as full:
    result = subprocess.run([ICL, "-e", "print(('x'):rep(100000))"], stdout=full, stderr=subprocess.PIPE, text=True,
                            env=environment(), timeout=120)
  equal(result.returncode, 1, result.stderr)
  contains(result.stderr, "No space left")


close()
