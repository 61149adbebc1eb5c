/* compute.cpp - convolutions by plain loops, with sums in f32. For each place in the kernel there is a list of pairs of
 * an image's and an output's pixel; what is computed is a sum of rows of channels. */
#include "convolution.h"

namespace dnn {

struct pair {
  size_t image, output; /* pixels */
};

static std::vector<pair> pairs_of(const convolution &c, int64_t row, int64_t column) {
  const tensor &x = c.of[IMAGE], &y = c.of[OUTPUT];
  std::vector<pair> pairs;
  for (int64_t n = 0; n < y.n; n++)
    for (int64_t p = 0; p < y.h; p++)
      for (int64_t q = 0; q < y.w; q++) {
        int64_t h = p * c.stride[0] - c.padding[0] + row * c.dilation[0];
        int64_t w = q * c.stride[1] - c.padding[1] + column * c.dilation[1];
        if (h >= 0 && h < x.h && w >= 0 && w < x.w)
          pairs.push_back({(size_t)((n * x.h + h) * x.w + w), (size_t)((n * y.h + p) * y.w + q)});
      }
  return pairs;
}

/* The values of all three, the result's as zeros; channels of a pixel lie together. */
struct values {
  std::vector<float> of[TENSORS];
};

/* One place of the kernel in one group. */
struct place {
  size_t filters, channels;               /* of the group */
  size_t first_filter, first_channel;     /* of the group */
  size_t all_filters, all_channels, step; /* of a pixel; from a filter to the next */
  size_t weight;                          /* of the first filter */
};

/* Weights of the place as (channels, filters). */
static std::vector<float> transposed(const values &v, const place &at) {
  std::vector<float> result(at.channels * at.filters);
  for (size_t k = 0; k < at.filters; k++)
    for (size_t i = 0; i < at.channels; i++)
      result[i * at.filters + k] = v.of[WEIGHTS][at.weight + k * at.step + i];
  return result;
}

static void add_forward(values &v, const place &at, const std::vector<pair> &pairs) {
  std::vector<float> weights = transposed(v, at);
  std::vector<const float *> rows;
  for (size_t i = 0; i < at.channels; i++)
    rows.push_back(&weights[i * at.filters]);
  for (const pair &p : pairs)
    sim::add_rows(&v.of[OUTPUT][p.output * at.all_filters + at.first_filter], at.filters, at.channels, rows.data(),
                  &v.of[IMAGE][p.image * at.all_channels + at.first_channel]);
}

static void add_data(values &v, const place &at, const std::vector<pair> &pairs) {
  std::vector<const float *> rows;
  for (size_t k = 0; k < at.filters; k++)
    rows.push_back(&v.of[WEIGHTS][at.weight + k * at.step]);
  for (const pair &p : pairs)
    sim::add_rows(&v.of[IMAGE][p.image * at.all_channels + at.first_channel], at.channels, at.filters, rows.data(),
                  &v.of[OUTPUT][p.output * at.all_filters + at.first_filter]);
}

static void add_filter(values &v, const place &at, const std::vector<pair> &pairs) {
  std::vector<const float *> rows;
  for (const pair &p : pairs)
    rows.push_back(&v.of[IMAGE][p.image * at.all_channels + at.first_channel]);
  std::vector<float> factors(pairs.size());
  for (size_t k = 0; k < at.filters; k++) {
    for (size_t i = 0; i < pairs.size(); i++)
      factors[i] = v.of[OUTPUT][pairs[i].output * at.all_filters + at.first_filter + k];
    sim::add_rows(&v.of[WEIGHTS][at.weight + k * at.step], at.channels, pairs.size(), rows.data(), factors.data());
  }
}

void compute(const convolution &c, void *const address[TENSORS], bool tf32) {
  static void (*const add[])(values &, const place &, const std::vector<pair> &) = {add_forward, add_data, add_filter};
  const tensor &x = c.of[IMAGE], &w = c.of[WEIGHTS];
  values v;
  for (int i = 0; i < TENSORS; i++)
    if (i == c.result())
      v.of[i].assign(c.of[i].count(), 0);
    else
      v.of[i] = sim::load((sim::value_type)c.of[i].type, address[i], c.of[i].count(), tf32);
  size_t places = (size_t)(w.h * w.w), channels = (size_t)w.c, filters = (size_t)(w.n / c.groups);
  for (size_t at = 0; at < places; at++) {
    std::vector<pair> pairs = pairs_of(c, (int64_t)at / w.w, (int64_t)at % w.w);
    for (size_t group = 0; group < (size_t)c.groups; group++)
      add[c.what](v,
                  {filters, channels, group * filters, group * channels, (size_t)w.n, (size_t)x.c, places * channels,
                   (group * filters * places + at) * channels},
                  pairs);
  }
  const tensor &result = c.of[c.result()];
  for (size_t i = 0; i < result.count(); i++)
    sim::store((sim::value_type)result.type, address[c.result()], i, v.of[c.result()][i]);
}

} // namespace dnn
