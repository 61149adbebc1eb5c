"""Augmentations of bytes against the same formulas in numpy, written from what torchvision 0.20 (transforms.functional
on u8 tensors) and its classes do, and against Pillow where it defines the same bytes."""

import math

from harness import Skip, close, equal, folder, run, success, test

try:
  import numpy as np
  import PIL.Image
  import PIL.ImageOps
  from safetensors.numpy import load_file, save_file
except ImportError as error:
  np, missing = None, str(error)

H, W = 21, 34


def pictures(count=6, height=H, width=W, channels=3, seed=0):
  """Bytes (n, h, w, c) of at least four images: noise, a ramp, a dark one, one of a single colour."""
  if np is None:
    raise Skip(f"{missing}; sh tests/python.sh installs it")
  rng = np.random.default_rng(seed)
  x = rng.integers(0, 256, (count, height, width, channels), "uint8")
  ramp = np.linspace(0, 255, height * width).reshape(1, height, width, 1)
  x[1] = (ramp[0] * np.linspace(0.3, 1, channels)).astype("uint8")
  x[2] //= 4
  x[3] = [200, 40, 90][:channels]
  return x


SCRIPT = """
local icl = require "icl"
local core = require "icl.core"
local given = {}
for _, item in ipairs((core.safetensors_read(arg[1]))) do given[item.name] = item.tensor end
local augment, x = icl.augment, given.x
local results = { %s }
local list = {}
for i, result in ipairs(results) do list[i] = { name = tostring(i), tensor = result } end
core.safetensors_write(arg[2], list, {})
"""


def compute(expressions, **given):
  """What expressions in Lua give, of x and `given`, a table of tensors."""
  with folder() as where:
    save_file({name: np.ascontiguousarray(value) for name, value in given.items()}, str(where / "in"))
    success(run(where.write("script.lua", SCRIPT % ",\n".join(expressions)), where / "in", where / "out"))
    results = load_file(str(where / "out"))
    return [results[str(i + 1)] for i in range(len(expressions))]


def same(got, expected, what):
  assert got.shape == expected.shape, f"{what}: {got.shape}, not {expected.shape}"
  wrong = np.argwhere(got != expected)
  if len(wrong):
    at = tuple(wrong[0])
    raise AssertionError(f"{what}: {len(wrong)} of {got.size} bytes differ, the first at {at}: {got[at]}, not "
                         f"{expected[at]}")


# ---- torchvision.transforms.functional on u8 tensors, in numpy; images (h, w, c) ----

f32 = np and np.float32


def byte(x):
  return np.clip(x, 0, 255).astype("uint8")


def blend(a, b, ratio):
  return byte(f32(ratio) * a.astype("float32") + f32(1.0 - ratio) * np.asarray(b, "float32"))


def grey(x):
  r, g, b = (x[..., k].astype("float32") for k in range(3))
  return byte(f32(0.2989) * r + f32(0.587) * g + f32(0.114) * b)


def brightness(x, factor):
  return blend(x, np.zeros_like(x), factor)


def contrast(x, factor):
  base = grey(x) if x.shape[-1] == 3 else x[..., 0]
  return blend(x, f32(f32(int(base.sum(dtype="int64"))) / f32(base.size)), factor)


def saturation(x, factor):
  return blend(x, grey(x)[..., None], factor) if x.shape[-1] == 3 else x


def grayscale(x):
  return np.repeat(grey(x)[..., None], 3, -1) if x.shape[-1] == 3 else x


def hue(x, by):
  if x.shape[-1] != 3:
    return x
  x = x.astype("float32") / f32(255)
  r, g, b = x[..., 0], x[..., 1], x[..., 2]
  most, least = x.max(-1), x.min(-1)
  span = most - least
  s = span / np.where(most == least, f32(1), most)
  divisor = np.where(most == least, f32(1), span)
  rc, gc, bc = (most - r) / divisor, (most - g) / divisor, (most - b) / divisor
  h = (most == r) * (bc - gc) + ((most == g) & (most != r)) * (f32(2) + rc - bc)
  h = h + ((most != g) & (most != r)) * (f32(4) + gc - rc)
  h = np.fmod(h / f32(6) + f32(1), f32(1))
  h = np.mod(h + f32(by), f32(1)).astype("float32")
  i = np.floor(h * f32(6))
  f = h * f32(6) - i
  v = most
  p = np.clip(v * (f32(1) - s), 0, 1)
  q = np.clip(v * (f32(1) - s * f), 0, 1)
  t = np.clip(v * (f32(1) - s * (f32(1) - f)), 0, 1)
  sextant = i.astype("int64") % 6
  red = np.choose(sextant, [v, q, p, p, t, v])
  green = np.choose(sextant, [t, v, v, q, p, p])
  blue = np.choose(sextant, [p, p, t, v, v, q])
  return (np.stack([red, green, blue], -1) * f32(255.999)).astype("uint8")


def sharpness(x, factor):
  if x.shape[0] <= 2 or x.shape[1] <= 2:
    return x
  padded = x.astype("float64")
  total = sum(padded[1 + i:x.shape[0] - 1 + i, 1 + j:x.shape[1] - 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1))
  blurred = x.copy()
  blurred[1:-1, 1:-1] = np.round((total + 4 * padded[1:-1, 1:-1]) / 13)
  return blend(x, blurred, factor)


def posterize(x, bits):
  return x & np.uint8(256 - 2**(8 - bits) & 255)


def solarize(x, threshold):
  return np.where(x >= threshold, 255 - x, x)


def autocontrast(x):
  least, most = x.min((0, 1)).astype("float32"), x.max((0, 1)).astype("float32")
  flat = most == least
  scale = np.where(flat, f32(1), f32(255) * (f32(1) / np.where(flat, f32(1), most - least)))
  return byte((x.astype("float32") - np.where(flat, f32(0), least)) * scale)


def equalize(x):
  result = x.copy()
  for k in range(x.shape[-1]):
    counts = np.bincount(x[..., k].reshape(-1), minlength=256)
    step = counts[counts != 0][:-1].sum() // 255
    if step:
      table = np.concatenate([[0], (np.cumsum(counts) + step // 2) // step])[:256].clip(0, 255)
      result[..., k] = table[x[..., k]]
  return result


def invert(x):
  return 255 - x


def inverse_affine(center, angle, translate, scale, shear):
  rot, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
  a = math.cos(rot - sy) / math.cos(sy)
  b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
  c = math.sin(rot - sy) / math.cos(sy)
  d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
  m = [v / scale for v in (d, -b, 0, -c, a, 0)]
  m[2] += m[0] * (-center[0] - translate[0]) + m[1] * (-center[1] - translate[1]) + center[0]
  m[5] += m[3] * (-center[0] - translate[0]) + m[4] * (-center[1] - translate[1]) + center[1]
  return m


def sample(x, across, down, bilinear, fill):
  """grid_sample at places (h, w) in pixels, in f64; outside of the image it reads `fill`. -1 where the nearest pixel
  depends on how sums are rounded."""
  h, w = x.shape[:2]

  def read(i, j):
    inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
    return np.where(inside[..., None], x[i.clip(0, h - 1), j.clip(0, w - 1)], fill).astype("float64")

  if not bilinear:
    result = read(np.rint(down).astype(int), np.rint(across).astype(int)).astype("int16")
    for place in (across, down):
      result[np.abs(place - np.floor(place) - 0.5) < 1e-3] = -1
    return result
  i, j = np.floor(down).astype(int), np.floor(across).astype(int)
  below, right = (down - i)[..., None], (across - j)[..., None]
  upper = read(i, j) * (1 - right) + read(i, j + 1) * right
  return np.rint(upper * (1 - below) + (read(i + 1, j) * (1 - right) + read(i + 1, j + 1) * right) * below)


def affine_places(h, w, m):
  y, x = np.mgrid[0:h, 0:w]
  x, y = x + 0.5 - w / 2, y + 0.5 - h / 2
  return m[0] * x + m[1] * y + m[2] + w / 2 - 0.5, m[3] * x + m[4] * y + m[5] + h / 2 - 0.5


def affine(x, bilinear=False, fill=0, center=(0, 0), angle=0, translate=(0, 0), scale=1, shear=(0, 0)):
  m = inverse_affine(center, angle, translate, scale, shear)
  return sample(x, *affine_places(*x.shape[:2], m), bilinear, fill)


def warped(got, expected, what):
  """Bilinear ones may be off by one where f64 and f32 differ."""
  sure = expected >= 0
  assert sure.mean() > 0.8, what
  off = np.abs(got.astype(int) - expected)[sure]
  bilinear = expected.dtype.kind == "f"
  assert off.max() <= bilinear and (off > 0).mean() < 0.01, f"{what}: {(off > 0).mean():.4f} of the bytes differ"


# ---- adjustments ----

ADJUSTMENTS = {
  "brightness": (brightness, [0.0, 0.37, 1.0, 1.73, 9.0]),
  "contrast": (contrast, [0.0, 0.37, 1.0, 1.73, 9.0]),
  "saturation": (saturation, [0.0, 0.37, 1.0, 1.73, 9.0]),
  "hue": (hue, [-0.5, -0.21, 0.0, 0.13, 0.5]),
  "sharpness": (sharpness, [0.0, 0.37, 1.0, 1.73, 9.0]),
  "posterize": (posterize, [0, 1, 4, 7, 8]),
  "solarize": (solarize, [0, 1, 127.5, 128, 255]),
  "autocontrast": (lambda x, _: autocontrast(x), [0]),
  "equalize": (lambda x, _: equalize(x), [0]),
  "invert": (lambda x, _: invert(x), [0]),
  "grayscale": (lambda x, _: grayscale(x), [0]),
}


@test
def adjustments_are_torchvision_s():
  for shape in ((H, W, 3), (H, W, 1), (2, 5, 3), (64, 64, 3)):
    x = pictures(6, *shape)
    cases = [(name, f, amount) for name, (f, amounts) in ADJUSTMENTS.items() for amount in amounts]
    got = compute([f'require "icl.augment.pictures".adjust(x, "{name}", {amount})' for name, _, amount in cases], x=x)
    for (name, f, amount), result in zip(cases, got):
      same(result, np.stack([f(image, amount) for image in x]), f"{name} {amount} of {shape}")


@test
def autocontrast_of_every_range():
  x = pictures(255, 1, 256, 1)
  x[:, 0, :, 0] = np.minimum(np.arange(256), np.arange(1, 256)[:, None])
  (got,) = compute(['require "icl.augment.pictures".adjust(x, "autocontrast", 0)'], x=x)
  for i in range(len(x)):
    same(got[i], autocontrast(x[i]), f"bytes from 0 to {i + 1}")


@test
def pillow_agrees_where_it_is_exact():
  x = pictures()
  got = compute([f'require "icl.augment.pictures".adjust(x, "{name}", {amount})'
                 for name, amount in (("equalize", 0), ("posterize", 3), ("solarize", 77), ("invert", 0))], x=x)
  for i, image in enumerate(x):
    picture = PIL.Image.fromarray(image)
    for result, expected in zip(got, (PIL.ImageOps.equalize(picture), PIL.ImageOps.posterize(picture, 3),
                                      PIL.ImageOps.solarize(picture, 77), PIL.ImageOps.invert(picture))):
      same(result[i], np.asarray(expected), "Pillow")


@test
def color_jitter_goes_in_the_order_that_was_drawn():
  x = pictures(24)
  names = ["brightness", "contrast", "saturation", "hue"]
  amounts = np.array([[0.7, 1.3, 0.5, 0.1]]).repeat(24, 0) + np.arange(24)[:, None] * 0.003
  given = {name: amounts[:, k].copy() for k, name in enumerate(names)}
  jitter = "augment.color_jitter { brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.2 }"
  draws = "{ order = icl.arange(24), amount = given }"
  got, some = compute([f"{jitter}:jitter(x, {draws})",
                       f"{jitter}:jitter(x, {draws}, icl.ops.lt(icl.arange(24), 10))"], x=x, **given)
  functions = [brightness, contrast, saturation, hue]
  orders = []

  def add(order, left):
    if not left:
      orders.append(order)
    for k in left:
      add(order + [k], [other for other in left if other != k])

  add([], [0, 1, 2, 3])
  for i, order in enumerate(orders):
    expected = x[i]
    for k in order:
      expected = functions[k](expected, amounts[i, k])
    same(got[i], expected, f"order {order}")
    same(some[i], expected if i < 10 else x[i], f"chosen {i}")


# ---- warps ----


@test
def rotations_and_affine_maps():
  x = pictures(5)
  angles = [-180.0, -33.3, 0.0, 91.0, 12.5]
  fields = {
    "angle": [10.0, -20.0, 0.0, 0.0, 170.0],
    "shear_x": [0.0, 15.0, 30.0, 0.0, -8.0],
    "shear_y": [0.0, -5.0, 0.0, 20.0, 3.0],
    "scale": [1.0, 0.8, 1.0, 1.3, 2.0],
    "move_x": [3.0, 0.0, -4.0, 0.0, 1.0],
    "move_y": [-2.0, 5.0, 0.0, 0.0, 1.0],
  }
  given = {name: np.array(values) for name, values in fields.items()}
  for bilinear in (False, True):
    options = f'{{ interpolation = "{"bilinear" if bilinear else "nearest"}", fill = 9 }}'
    turned, moved = compute([f"augment.rotate {options}:turn(x, given.angles)",
                             f"augment.affine {options}:transform(x, given)"], x=x, angles=np.array(angles), **given)
    for i in range(5):
      warped(turned[i], affine(x[i], bilinear, 9, angle=-angles[i]), f"turn by {angles[i]}")
      expected = affine(x[i], bilinear, 9, (0, 0), fields["angle"][i],
                        (fields["move_x"][i], fields["move_y"][i]), fields["scale"][i],
                        (fields["shear_x"][i], fields["shear_y"][i]))
      warped(moved[i], expected, f"affine map {i}")


@test
def turns_by_right_angles_are_exact():
  x = pictures(4, 16, 16)
  (got,) = compute(["augment.rotate {}:turn(x, given.angles)"], x=x, angles=np.array([90.0, 180.0, -90.0, 0.0]))
  for i, turns in enumerate((1, 2, 3, 0)):
    same(got[i], np.rot90(x[i], turns), f"{90 * turns} degrees")


def perspective_coefficients(start, end):
  rows, right = [], []
  for (x, y), (u, v) in zip(end, start):
    rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    right += [u, v]
  return np.linalg.solve(np.array(rows, float), np.array(right, float))


@test
def perspective_moves_the_corners():
  x = pictures(4)
  start = [(0, 0), (W - 1, 0), (W - 1, H - 1), (0, H - 1)]
  ends = [start, [(3, 1), (W - 6, 4), (W - 1, H - 3), (2, H - 4)], [(8, 5), (W - 9, 0), (W - 3, H - 6), (0, H - 1)],
          start[:2] + [(W - 2, H - 5), (4, H - 1)]]
  given = {f"{axis}{k}": np.array([float(end[k]["xy".index(axis)]) for end in ends]) for k in range(4) for axis in "xy"}
  corners = "{ " + ", ".join(f"{{ x = given.x{k}, y = given.y{k} }}" for k in range(4)) + " }"
  for bilinear in (False, True):
    mode = "bilinear" if bilinear else "nearest"
    (got,) = compute([f'augment.perspective {{ interpolation = "{mode}" }}:transform(x, {corners})'], x=x, **given)
    for i, end in enumerate(ends):
      k = perspective_coefficients(start, end)
      row, column = np.mgrid[0:H, 0:W] + 0.5
      scale = k[6] * column + k[7] * row + 1
      across = (k[0] * column + k[1] * row + k[2]) / scale - 0.5
      down = (k[3] * column + k[4] * row + k[5]) / scale - 0.5
      warped(got[i], sample(x[i], across, down, bilinear, 0), f"corners {i}")


@test
def blur_is_a_gaussian():
  x = pictures(4)
  sigmas = np.array([0.1, 0.5, 1.1, 2.0], "float32")
  for size in (1, 3, 7):
    (got,) = compute([f"augment.gaussian_blur {{ kernel_size = {size} }}:blur(x, given.sigma)"], x=x, sigma=sigmas)
    for i, sigma in enumerate(sigmas):
      place = np.arange(size) - (size - 1) / 2
      weights = np.exp(-0.5 * (place / sigma)**2)
      weights /= weights.sum()
      padded = np.pad(x[i].astype(float), ((size // 2,) * 2, (size // 2,) * 2, (0, 0)), "reflect")
      expected = sum(weights[a] * weights[b] * padded[a:a + H, b:b + W] for a in range(size) for b in range(size))
      warped(got[i], np.rint(expected), f"sigma {sigma}")


# ---- policies ----

NAMES = ["identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color", "contrast",
         "sharpness", "posterize", "solarize", "autocontrast", "equalize"]


def operate(x, name, magnitude):
  """_apply_op of torchvision.transforms.autoaugment."""
  h, w = x.shape[:2]
  corner = (-w / 2, -h / 2)
  degrees = math.degrees(math.atan(magnitude))
  if name == "shear_x":
    return affine(x, center=corner, shear=(degrees, 0))
  if name == "shear_y":
    return affine(x, center=corner, shear=(0, degrees))
  if name == "translate_x":
    return affine(x, translate=(int(magnitude), 0))
  if name == "translate_y":
    return affine(x, translate=(0, int(magnitude)))
  if name == "rotate":
    return affine(x, angle=-magnitude)
  if name in ("brightness", "contrast", "sharpness", "color"):
    return globals()["saturation" if name == "color" else name](x, 1.0 + magnitude)
  if name == "posterize":
    return posterize(x, int(magnitude))
  if name == "solarize":
    return solarize(x, magnitude)
  return x if name == "identity" else globals()[name](x)


def linspace(first, last, bins, index):
  """torch.linspace on f32: from the nearer end."""
  first, last = f32(first), f32(last)
  step = (last - first) / f32(bins - 1)
  return float(first + step * f32(index) if index < bins // 2 else last - step * f32(bins - 1 - index))


def magnitude(name, index, bins, wide):
  line = lambda last: linspace(0, last, bins, index)
  if name in ("shear_x", "shear_y"):
    return line(0.99 if wide else 0.3)
  if name == "translate_x":
    return line(32 if wide else 150 / 331 * W)
  if name == "translate_y":
    return line(32 if wide else 150 / 331 * H)
  if name == "rotate":
    return line(135 if wide else 30)
  if name in ("brightness", "color", "contrast", "sharpness"):
    return line(0.99 if wide else 0.9)
  if name == "posterize":
    return 8 - int(np.round(index / ((bins - 1) / (6 if wide else 4))))
  return linspace(255, 0, bins, index) if name == "solarize" else 0.0


def check_operation(got, x, name, size, sign, what):
  expected = operate(x, name, -size if name in NAMES[1:10] and sign else size)
  if name in NAMES[1:6]:
    warped(got, expected, what)
  else:
    same(got, expected, what)


@test
def rand_augment_has_torchvision_s_operations():
  for strength in (0, 9, 30):
    x = pictures(28, seed=strength)
    (got,) = compute([f"augment.rand_augment {{ magnitude = {strength} }}:operate(x, icl.arange(28))"], x=x)
    for i in range(28):
      name = NAMES[i // 2]
      check_operation(got[i], x[i], name, magnitude(name, strength, 31, False), i % 2, f"{name} {strength} {i % 2}")


@test
def trivial_augment_has_torchvision_s_operations():
  x = pictures(67)
  choices = np.arange(3, 2 * 14 * 31, 13)
  (got,) = compute(["augment.trivial_augment {}:operate(x, given.choices)"], x=x, choices=choices)
  for i, choice in enumerate(choices):
    name, index, sign = NAMES[choice // 62], int(choice // 2 % 31), choice % 2
    check_operation(got[i], x[i], name, magnitude(name, index, 31, True), sign, f"{name} {index} {sign}")


# Of each policy the first, the seventh and the last pair.
PAIRS = {
  "imagenet": [(0, ("posterize", 0.4, 8), ("rotate", 0.6, 9)), (6, ("solarize", 0.6, 3), ("equalize", 0.6, 0)),
               (24, ("equalize", 0.8, 0), ("equalize", 0.6, 0))],
  "cifar10": [(0, ("invert", 0.1, 0), ("contrast", 0.2, 6)), (6, ("color", 0.4, 3), ("brightness", 0.6, 7)),
              (24, ("translate_y", 0.7, 9), ("autocontrast", 0.9, 0))],
  "svhn": [(0, ("shear_x", 0.9, 4), ("invert", 0.2, 0)), (6, ("shear_y", 0.9, 8), ("invert", 0.4, 0)),
           (24, ("shear_x", 0.7, 2), ("invert", 0.1, 0))],
}


@test
def auto_augment_has_the_published_policies():
  for policy, rows in PAIRS.items():
    cases = [(pair * 2 + k, operation, uniform, sign) for pair, *both in rows for k, operation in enumerate(both)
             for uniform in (operation[1], operation[1] + 0.05) for sign in (0, 1)]
    x = pictures(len(cases))
    (got,) = compute([f'augment.auto_augment {{ policy = "{policy}" }}'
                      ":operate(x, given.choices, given.uniform, given.negative)"], x=x,
                     choices=np.array([case[0] for case in cases]),
                     uniform=np.array([case[2] for case in cases], "float32"),
                     negative=np.array([case[3] for case in cases]))
    for i, (_, (name, probability, index), uniform, sign) in enumerate(cases):
      if uniform > probability:
        same(got[i], x[i], f"{policy}: {name} is not made")
      else:
        check_operation(got[i], x[i], name, magnitude(name, index, 10, False), sign, f"{policy}: {name} {index}")


@test
def every_pair_of_a_policy_is_there():
  pairs_of = """(function()
    local names, seen = {}, 0
    for name, probability, magnitude in require "icl.augment.auto_augment_policies"("%s") do
      assert(probability >= 0 and probability <= 1 and magnitude >= 0 and magnitude <= 9)
      seen = seen + 1
    end
    return icl.tensor { seen }
  end)()"""
  for got in compute([pairs_of % policy for policy in PAIRS], x=pictures()):
    equal(got.tolist(), [50.0])


close()
