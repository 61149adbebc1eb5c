-- run/weights_metadata.lua: weights_metadata(about) -> the metadata of a file of weights: what is known of them
-- and their network, without what a run alone needs, by which a checkpoint is known.
local json = require "icl.json"

local of_runs = { state = true, settings = true, frozen = true }

return function(about)
  local kept = {}
  for name, value in pairs(about) do
    if not of_runs[name] then kept[name] = value end
  end
  return { format = "pt", checksum = "crc32", icl = json.encode(kept) }
end
