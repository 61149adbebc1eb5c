-- report/mistakes.lua: the sections of a report about single images: confusion matrix, classes, worst mistakes.
local core = require "icl.core"
local markup = require "icl.internal.markup"
local numbers = require "icl.internal.numbers"
local open_file = require "icl.internal.open_file"
local pictures = require "icl.report.pictures"
local predictions = require "icl.report.predictions"
local tables = require "icl.report.tables"

local fill, escape = markup.fill, markup.escape

local mistakes = {}

local WORST = 24     -- pictures
local NUMBERED = 20  -- classes up to which a matrix has names and numbers
local DRAWN = 100    -- classes up to which there is a matrix
local LISTED = 20    -- classes and pairs of a list

local function percent(share)
  return numbers.format("%.1f %%", 100 * share)
end

-- ---- confusion matrix ----

-- A text for a narrow place.
local function short(text, most)
  local stop = utf8.len(text) and utf8.len(text) > most and utf8.offset(text, most)
  return stop and text:sub(1, stop - 1) .. "…" or text
end

local function add_cell(out, x, y, side, row, truth, guess, name)
  local count = row[guess]
  local title = ("%s taken for %s: %d of %d"):format(escape(name(truth)), escape(name(guess)), count, row.total)
  out[#out + 1] = numbers.format('<rect class="cell %s" x="%g" y="%g" width="%g" height="%g" fill-opacity="%.3f">' ..
    "<title>%s</title></rect>", truth == guess and "right" or "wrong", x, y, side, side,
    math.max((count / row.total) ^ 0.5, 0.08), title)
end

-- The matrix as a picture: rows are what images are, columns what they were taken for.
local function matrix(counts, classes, name)
  local numbered = classes <= NUMBERED
  local margin, size = numbered and 92 or 20, 600
  local side = (size - margin - 8) / classes
  local out = { ('<svg class="matrix%s" viewBox="0 0 640 600" role="img" aria-label="confusion matrix">'):format(
    numbered and " numbered" or "") }
  out[#out + 1] = numbers.format('<rect class="empty" x="%d" y="%d" width="%g" height="%g"/>', margin, margin,
    side * classes, side * classes)
  for truth = 0, classes - 1 do
    local row, y = counts[truth], margin + side * truth
    for guess = 0, classes - 1 do
      local count, x = row[guess], margin + side * guess
      if count then
        add_cell(out, x, y, side, row, truth, guess, name)
        if numbered then
          local over = (count / row.total) ^ 0.5 > 0.55
          out[#out + 1] = numbers.format('<text %s x="%g" y="%g" text-anchor="middle" pointer-events="none">%d</text>',
            over and 'class="over"' or "", x + side / 2, y + side / 2 + 4, count)
        end
      end
    end
    if numbered then
      local label, middle = escape(short(name(truth), 13)), margin + side * (truth + 0.5)
      out[#out + 1] = numbers.format('<text x="%d" y="%g" text-anchor="end">%s</text>', margin - 7, middle + 4, label)
      out[#out + 1] = numbers.format('<text transform="translate(%g %d) rotate(-40)">%s</text>', middle - 2, margin - 8,
        label)
    end
  end
  if not numbered then
    out[#out + 1] = ('<text x="%d" y="14">taken for</text><text transform="translate(14 %d) rotate(-90)" ' ..
      'text-anchor="end">is</text>'):format(margin, margin)
  end
  out[#out + 1] = "</svg>"
  return table.concat(out)
end

local function confused_table(counts, name)
  local rows = {}
  for i, pair in ipairs(predictions.confused(counts, LISTED // 2)) do
    rows[i] = fill('<tr><td>$truth</td><td>$guess</td><td class="n">$count</td><td class="n">$share</td></tr>', {
      truth = name(pair.truth), guess = name(pair.guess), count = pair.count,
      share = percent(pair.count / counts[pair.truth].total) })
  end
  if #rows == 0 then return '<p class="note">There are none.</p>' end
  return '<div class="scroll"><table><tr><th>Is</th><th>Taken for</th><th class="n">Images</th>' ..
    '<th class="n">Of the class</th></tr>' .. table.concat(rows) .. "</table></div>"
end

-- ---- classes ----

-- The share of each class that was right as bars, the worst first.
local function class_bars(counts, classes, name)
  local list = {}
  for class = 0, classes - 1 do
    local row = counts[class]
    if row.total > 0 then list[#list + 1] = { class = class, share = (row[class] or 0) / row.total, row = row } end
  end
  table.sort(list, function(a, b)
    if a.share ~= b.share then return a.share < b.share end
    return a.class < b.class
  end)
  local bars = {}
  for i = 1, math.min(#list, LISTED) do
    local entry = list[i]
    bars[i] = fill('<span>$name</span><u><i style="width:$width%"></i></u><em>$share</em>', {
      name = name(entry.class), width = numbers.format("%.1f", 100 * entry.share),
      share = ("%s of %d"):format(percent(entry.share), entry.row.total) })
  end
  local rest = #list > LISTED and ('<p class="note">The %d worst of %d classes.</p>'):format(LISTED, #list) or ""
  return rest .. '<div class="bars">' .. table.concat(bars) .. "</div>"
end

-- ---- worst mistakes ----

-- One mistake as a card; `set` is nil where the images are not here.
local function card(found, i, name, set)
  local address, file
  if set then address, file = set.picture(i - 1) end
  local values = {
    truth = name(found.truth[i]), guess = name(found.guess[i]), sure = percent(found.sure[i]),
    own = numbers.format("%.2g %%", 100 * found.own[i]), file = file or found.names[i] or ("image %d"):format(i - 1),
    address = address or "", small = set and set.small and ' class="small"' or "",
  }
  local picture = address and '<img$(small) src="$address" alt="$truth" title="$file">' or ""
  return fill("<figure>" .. picture .. "<b>$truth</b><br>taken for $guess<br>" ..
    "<small>$sure sure, $own for the truth</small>" .. (address and "" or "<br><small>$file</small>") .. "</figure>",
    values)
end

-- Are these the images that the predictions were made for?
local function same_labels(found, set)
  local labels = set.labels:totable()
  if #labels ~= found.count then return false end
  for i, label in ipairs(labels) do
    if found.truth[i] ~= label then return false end
  end
  return true
end

local function gallery(found, name, set, why)
  local worst, cards = predictions.worst(found, WORST), {}
  if #worst == 0 then return "<p>Every image was right.</p>" end
  if set then
    local ok, message = pcall(set.picture, worst[1] - 1)
    if not ok then set, why = nil, tostring(message) end
  end
  for i, number in ipairs(worst) do cards[i] = card(found, number, name, set) end
  local note = set and "" or fill('<p class="note">Without pictures: $why</p>', { why = why })
  return note .. '<div class="gallery">' .. table.concat(cards) .. "</div>"
end

-- ---- names of classes ----

local LARGEST = 1 << 24  -- bytes of the header of a file of weights

-- The names of the classes in the metadata of a file of weights; nil without.
local function names_in_weights(path)
  local file = open_file(path)
  if not file then return nil end
  local length = file:read(8)
  local size = length and #length == 8 and ("<I8"):unpack(length) or 0
  local header = size > 0 and size <= LARGEST and file:read(size) or ""
  file:close()
  local ok, names = pcall(function()
    return core.json_decode(core.json_decode(header).__metadata__.icl).data.class_names
  end)
  return ok and type(names) == "table" and names or nil
end

-- A function from a class to its name.
local function namer(names)
  return function(class)
    local name = names and names[class + 1]
    return type(name) == "string" and name or ("class %d"):format(class)
  end
end

-- ---- the sections ----

local function sections_of(run, found)
  local set, why = pictures.open(run.options)
  if set and not same_labels(found, set) then
    set, why = nil, "the images on this machine are not those that the predictions were made for"
  end
  local name = namer(names_in_weights(run.path .. "/weights.safetensors") or set and set.class_names)
  local counts = predictions.confusion(found)
  local right = 0
  for class = 0, found.classes - 1 do right = right + (counts[class][class] or 0) end
  return fill([[
<p>Of $count images $right were right, by <code>$name</code>.</p>
<div class="two"><div><h3>Confusion matrix</h3>$(matrix)</div>
<div><h3>Accuracy of the classes</h3>$(bars)<h3>Most frequent mistakes</h3>$(confused)</div></div>
<h3>Worst mistakes</h3>
<p class="note">Images whose true class seemed least probable.</p>
$(gallery)
]], {
    count = found.count, right = ("%d (%s)"):format(right, numbers.format("%.2f %%", 100 * right / found.count)),
    name = run.name, bars = class_bars(counts, found.classes, name), confused = confused_table(counts, name),
    matrix = found.classes <= DRAWN and
      '<p class="note">Rows are what images are, columns what they were taken for.</p>' ..
      matrix(counts, found.classes, name) or
      ('<p class="note">%d classes are too many for a matrix.</p>'):format(found.classes),
    gallery = gallery(found, name, set, why),
  })
end

-- mistakes.section(list, best) -> markup about the predictions of the first of these runs that has any, `best`, which
-- is one of them, before the others; where none has, what makes them.
function mistakes.section(list, best)
  local order = table.move(list, 1, #list, 2, { best })
  for _, run in ipairs(order) do
    local path = predictions.path(run)
    if path then
      local found, message = predictions.read(path)
      if found then return sections_of(run, found) end
      return fill('<p class="note">$message</p>', { message = message })
    end
  end
  return fill("<p>They are not there yet. This command makes them, and the next report shows confusion matrix, " ..
    "classes and worst mistakes:</p><pre>icl evaluate $run --predictions $file</pre>",
    { run = tables.quoted(best.path), file = tables.quoted(best.path .. "/predictions.npz") })
end

return mistakes
