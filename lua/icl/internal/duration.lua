-- internal/duration.lua: spans of time as people read them.

-- duration(75) -> "1 min 15 s"
local function duration(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then return ("%d s"):format(seconds) end
  if seconds < 3600 then return ("%d min %02d s"):format(seconds // 60, seconds % 60) end
  if seconds < 360000 then return ("%d h %02d min"):format(seconds // 3600, seconds % 3600 // 60) end
  return ("%d d %02d h"):format(seconds // 86400, seconds % 86400 // 3600)
end

return duration
