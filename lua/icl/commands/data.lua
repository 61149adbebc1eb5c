-- commands/data.lua: `icl data fetch|stats|info`: image sets: to bring them here, to measure them, to look at them.
local icl = require "icl"
local arguments = require "icl.internal.arguments"
local datasets = require "icl.internal.datasets"
local fetch = require "icl.data.fetch"
local inspect = require "icl.data.inspect"
local numbers = require "icl.internal.numbers"
local sources = require "icl.data.sources"
local usage = require "icl.internal.usage"

local IN_MEMORY = table.concat(fetch.names, ", ")

-- ---- fetch ----

local function run_fetch(opt, name)
  if not sources[name] then
    usage.wrong("icl data fetch", ("there is no set '%s'%s; there are %s"):format(name,
      arguments.suggestion(name, fetch.names), IN_MEMORY))
  end
  fetch.fetch(name, { data = opt.data, from = opt.from })
end

local function fetch_options()
  return icl.options("icl data fetch NAME: downloads one of " .. IN_MEMORY)
    : value("data", "", "folder to put it into; by default one that is searched without --data", { type = "path" })
    : value("from", "", "address of a folder with the files of the set, in place of its publisher's")
end

-- ---- stats and info: the options of recipes that say which images are meant ----

local of_stats = { "dataset", "data", "image_size", "eval_resize", "workers", "skip_bad_images" }
local of_info = { "dataset", "data", "workers" }

local function list_of(values)
  local texts = {}
  for i, value in ipairs(values) do texts[i] = numbers.format("%.4f", value) end
  return table.concat(texts, ",")
end

local function run_stats(opt)
  local mean, std, count = inspect.statistics(opt)
  io.stdout:write(("# %d training images%s, as evaluation sees them\n"):format(count,
    datasets.folders[opt.dataset] and (" of %s"):format(opt.data) or ""))
  io.stdout:write(("--mean %s --std %s\n"):format(list_of(mean), list_of(std)))
end

local function stats_options()
  return icl.options("icl data stats NAME|DIR: mean and deviation of each channel of the training images, as options")
    : take(icl.options.data, of_stats)
end

local function run_info(opt)
  io.stdout:write(table.concat(inspect.lines(opt), "\n"), "\n")
end

local function info_options()
  return icl.options "icl data info NAME|DIR: images, classes and where they lie" : take(icl.options.data, of_info)
end

-- ---- the command ----

local commands = {
  fetch = { options = fetch_options, run = run_fetch, named = true },
  stats = { options = stats_options, run = run_stats },
  info = { options = info_options, run = run_info },
}

local help_text = [[
icl data fetch NAME [--data DIR] [--from URL]   downloads a set: %s
icl data stats NAME|DIR                         mean and deviation of each channel, as options to paste
icl data info NAME|DIR                          images, classes, and where they lie

DIR has a folder train with a folder of images for each class, and a folder val like it.
`icl data COMMAND --help` lists the options.
]]

-- The word behind the command, unless it is an option; -> it, and the words that follow.
local function split(words)
  local rest = table.move(words, 2, #words, 1, { [0] = "icl data " .. words[1] })
  if rest[1] and rest[1]:sub(1, 1) ~= "-" then return table.remove(rest, 1), rest end
  return nil, rest
end

-- What a set that is named by one word would be named by in options, for the command `program`.
local function as_options(word, program)
  for _, name in ipairs(fetch.names) do
    if word == name then return { "--dataset", name } end
  end
  if not word:find "/" and not inspect.is_folder(word) then
    usage.wrong(program, ("there is neither a set nor a folder '%s'%s"):format(word,
      arguments.suggestion(word, fetch.names)))
  end
  return { "--dataset", "folder", "--data", word }
end

-- words: the words of the command line behind `data`. -> exit code
return function(words)
  local command = commands[words[1]]
  if not words[1] or words[1] == "--help" or words[1] == "-h" then
    io.stdout:write(help_text:format(IN_MEMORY))
    return 0
  end
  if not command then
    usage.wrong("icl data", ("there is no command '%s'%s; `icl data` lists them"):format(words[1],
      arguments.suggestion(words[1], arguments.names(commands))))
  end
  local word, rest = split(words)
  if word and not command.named then table.move(as_options(word, rest[0]), 1, 4, #rest + 1, rest) end
  local opt = command.options():parse(rest)
  if not word and (command.named or not usage.origin(opt).given.dataset) then
    usage.wrong(rest[0], ("%s is missing: %s"):format(command.named and "NAME" or "NAME or DIR", IN_MEMORY))
  end
  usage.during(opt, command.run, opt, word)
  return 0
end
