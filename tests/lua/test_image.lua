-- test_image.lua: single images, and the bindings of folders and streams; what they do is tested in tests/unit.
local folder = arg[0]:match "^(.*/)" or "./"
local check = dofile(folder .. "check.lua")
local core = require "icl.core"
local icl = require "icl"

-- h x w pixels, each with its row, its column and 7.
local function pattern(h, w)
  local rows = {}
  for i = 1, h do
    rows[i] = {}
    for j = 1, w do rows[i][j] = { i, j, 7 } end
  end
  return icl.tensor(rows, { dtype = "u8" })
end

local function shape_of(x) return table.concat(x:shape(), " ") end

check("resize", function()
  local x = pattern(20, 30)
  check.equal(shape_of(icl.image.resize(x, 10)), "10 15 3")
  check.equal(shape_of(icl.image.resize(x, { 4, 6 })), "4 6 3")
  local part = icl.image.resize(x, { 2, 3 }, { 5, 7, 2, 3 }):totable()
  check.equal(table.concat(part[1][1], " "), "5 7 7")
  check.equal(table.concat(part[2][3], " "), "6 9 7")
  check.equal(icl.image.resize(x, { 2, 3 }, { -2, -3, 2, 3 }):bytes(),
    icl.image.resize(x, { 2, 3 }, { x:size(1) - 1, x:size(2) - 2, 2, 3 }):bytes())
  check.raises(function() icl.image.resize(x, { 2, 3 }, { -1, 1, 2, 2 }) end, "top of the box, its length is 2")
  check.raises(function() icl.image.resize(x, 0) end, "size is 0")
  check.raises(function() icl.image.resize(x, { 0, 2 }) end, "icl.image.resize: size is 0; it must be an integer")
  check.raises(function() icl.image.resize(x, 5, 3) end, "icl.image.resize: it takes a box")
  check.raises(function() icl.image.resize(5) end, "icl.image.resize: x is 5; it must be a tensor")
  check.raises(function() icl.image.center(x, 2, "a") end, "icl.image.center: resize is 'a'")
  check.raises(function() icl.image.read() end, "icl.image.read: a path is needed")
  check.raises(function() icl.image.resize(x, { 2, 3 }, { 5, 7, 17, 3 }) end, "from 1 to 16")
  check.raises(function() icl.image.resize(x, { 2, 3 }, { 0, 1, 1, 1 }) end, "from 1 to 20")
  check.raises(function() icl.image.resize(x, { 2, 3 }, { 1, 2 }) end, "the box must be")
  check.raises(function() icl.image.resize(icl.zeros { 2, 2, 3 }, 1) end, "an image must be u8")
  check.raises(function() icl.image.resize(icl.zeros({ 2, 2, 1 }, "u8"), 1) end, "an image must be u8")
end)

check("the middle", function()
  local x = pattern(5, 8)
  local middle = icl.image.center(x, 2):totable() -- 1.5 and 3 pixels before it; halves go to even numbers
  check.equal(table.concat(middle[1][1], " "), "3 4 7")
  local padded = icl.image.center(x, 7)
  check.equal(shape_of(padded), "7 7 3")
  check.equal(table.concat(padded:totable()[1][1], " "), "0 0 0")
  check.equal(table.concat(padded:totable()[2][1], " "), "1 1 7")
  check.equal(icl.image.center(x, 4, 10):bytes(), icl.image.center(icl.image.resize(x, 10), 4):bytes())
  check.raises(function() icl.image.center(x, 0) end, "from 1 to")
end)

check("writing", function()
  local path = os.tmpname()
  os.remove(path)
  path = path .. ".png"
  for _, size in ipairs { { 1, 1 }, { 3, 2 }, { 40, 70 } } do
    local x = pattern(table.unpack(size))
    icl.image.save(path, x)
    check.equal(icl.image.read(path):bytes(), x:bytes())
    local file <close> = assert(io.open(path, "rb"))
    check.equal(file:read "a", icl.image.encode_png(x))
  end
  icl.image.save(path, icl.tensor({ 1, 2, 3, 4, 5, 6 }, { dtype = "u8", shape = { 2, 3, 1 } }))
  check.equal(icl.image.read(path):bytes(), "\1\1\1\2\2\2\3\3\3\4\4\4\5\5\5\6\6\6")
  icl.image.save(path, icl.tensor({ 1, 2, 3, 4, 5, 6, 7, 8 }, { dtype = "u8", shape = { 1, 2, 4 } }))
  check.equal(icl.image.read(path):bytes(), "\1\2\3\5\6\7")
  os.remove(path)
  check.raises(function() icl.image.save("x.jpg", pattern(1, 1)) end, "x.jpg: PNG is written; the name must end in .png")
  check.raises(function() icl.image.save("none/x.png", pattern(1, 1)) end, "none/x.png: cannot open its folder")
  check.raises(function() icl.image.save(pattern(1, 1), path) end, "icl.image.save: a path is needed")
  check.raises(function() icl.image.encode_png(icl.zeros { 2, 2, 3 }) end, "encode_png: x is f32 of shape %(2, 2, 3%)")
  check.raises(function() icl.image.encode_png(icl.zeros({ 2, 2, 2 }, "u8")) end, "with 1, 3 or 4 channels")
  check.raises(function() icl.image.encode_png(icl.zeros({ 0, 2, 3 }, "u8")) end, "it must be u8 of shape")
  check.raises(function() icl.image.encode_png(5) end, "icl.image.encode_png: x is 5; it must be a tensor")
  check.raises(function() core.png_encode(icl.zeros({ 4 }, "u8")) end, "u8 of shape")
end)

check("files that are no images", function()
  check.raises(function() icl.image.read(arg[0]) end, "test_image.lua: not an image: it begins with the bytes 2d 2d")
  check.raises(function() icl.image.read(folder .. "none.jpg") end, "none.jpg: cannot open it")
end)

check("a sheet of a batch", function()
  local set = icl.data.set { images = icl.full({ 5, 8, 8, 1 }, 51, "u8"), labels = icl.arange(5), classes = 5,
                             mean = { 0.5 }, std = { 0.25 } }
  local loader = icl.data.loader(set, { batch_size = 5 })
  local batch = loader:batch(icl.arange(5), 1)
  local whole = icl.show.picture(batch)
  check.equal(whole:dtype(), "u8")
  check.equal(whole:size(3), 3)
  check.equal(table.concat(whole:totable()[50][20], " "), "51 51 51")
  check.equal(icl.show.picture(batch, 1):size(2) < whole:size(2), true)
  check.raises(function() icl.show.picture(batch, 0) end, "icl.show.picture: count is 0")
  check.raises(function() icl.show.picture(5) end, "icl.show.picture: it takes a batch of a loader")
  batch.image = icl.full({ 5, 8, 8, 1 }, 51, "u8")  -- as a chain without normalize leaves it
  check.equal(table.concat(icl.show.picture(batch):totable()[50][20], " "), "51 51 51")
  batch.image = icl.zeros { 5, 8, 8, 4 }
  check.raises(function() icl.show.picture(batch) end, "images of 4 channels cannot be shown")
end)

check("folders without classes", function()
  check.raises(function() core.image_folder(folder .. "none") end, "lua/none: No such file or directory; images lie in")
  check.raises(function() core.image_stream(3) end, "icl.image_folder expected")
end)

check.close()
