-- nn/embedding.lua: a learned row for each index; index i64 of any shape, from 0 -> (..., width).
local arguments = require "icl.internal.arguments"
local core = require "icl.core"
local initial = require "icl.nn.initial"
local check_input = require "icl.nn.input"
local Embedding = require "icl.nn.module".class "embedding"

-- nn.embedding(count, width [, { std = 1 }]): `count` rows of `width` numbers, which begin normal with deviation std.
function Embedding:init(count, width, options, ...)
  arguments.no_more("nn.embedding", "a count, a width and a table of options", ...)
  options = arguments.options("nn.embedding", options, { std = 1 })
  count, width = arguments.size("nn.embedding: count", count), arguments.size("nn.embedding: width", width)
  self.text = ("%d x %d"):format(count, width)
  self:parameter("weight", initial.normal({ count, width }, options.std))
end

function Embedding:forward(index)
  check_input(self, index)
  local shape = index:shape()
  shape[#shape + 1] = self.weight:size(2)
  return core.ops.gather(self.weight, index:reshape(-1)):reshape(shape)
end

return Embedding
