-- internal/labels.lua: of how many classes labels are: labels.classes[tensor], known of what loaders hand out.
local labels = { classes = setmetatable({}, { __mode = "k" }) }

return labels
