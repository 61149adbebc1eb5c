/* gif.c - decodes the first frame of a GIF. A colour that is said to be transparent keeps its value, as where alpha is
 * dropped. */
#include <string.h>

#include "data/cursor.h"

typedef struct {
  icl__cursor in;
  uint8_t palette[256][3];
  uint32_t screen_height, screen_width;
  uint32_t left, top, height, width; /* of the frame in the screen */
  int transparent;                   /* the number of that colour; -1: none */
  bool interlaced;
} gif;

/* Colours that the palette lacks are black. */
static void read_palette(gif *g, uint32_t flags) {
  memset(g->palette, 0, sizeof g->palette);
  uint32_t bytes = 6u << (flags & 7);
  const unsigned char *stored = icl__take(&g->in, bytes);
  if (stored)
    memcpy(g->palette, stored, bytes);
}

/* Skips blocks, each of which begins with its length, up to an empty one. */
static void skip_blocks(icl__cursor *in) {
  for (uint32_t bytes; (bytes = icl__take_u8(in)) != 0;)
    icl__skip(in, bytes);
}

static void read_extension(gif *g) {
  icl__cursor *in = &g->in;
  enum { CONTROL = 0xf9 };
  if (icl__take_u8(in) == CONTROL && in->at < in->bytes && in->data[in->at] >= 4) {
    const unsigned char *control = icl__take(in, 1 + (size_t)in->data[in->at]);
    if (control)
      g->transparent = control[1] & 1 ? control[4] : -1;
  }
  skip_blocks(in);
}

/* Reads up to the pixels of the first frame. */
static icl_status read_header(gif *g) {
  icl__cursor *in = &g->in;
  g->transparent = -1;
  icl__skip(in, 6);
  g->screen_width = icl__take_u16(in);
  g->screen_height = icl__take_u16(in);
  uint32_t flags = icl__take_u8(in);
  icl__skip(in, 2);
  for (int i = 0; i < 256; i++) /* without any palette numbers are grey */
    memset(g->palette[i], i, 3);
  if (flags & 0x80)
    read_palette(g, flags);
  for (;;) {
    uint32_t block = icl__take_u8(in);
    ICL__TRY(icl__cursor_check(in));
    if (block == '!')
      read_extension(g);
    else if (block == ';')
      return icl__cursor_damaged(in, "there is no frame in it");
    else if (block == ',')
      break;
  }
  g->left = icl__take_u16(in);
  g->top = icl__take_u16(in);
  g->width = icl__take_u16(in);
  g->height = icl__take_u16(in);
  flags = icl__take_u8(in);
  g->interlaced = flags & 0x40;
  if (flags & 0x80)
    read_palette(g, flags);
  return icl__cursor_check(in);
}

/* ---- pixels ---- */

typedef struct {
  const icl__image *image;
  const gif *g;
  uint32_t x, y, step, done; /* in the frame; rows done */
} pen;

/* Interlaced rows come in four passes: every eighth, those between, every second between, the rest. */
static void next_row(pen *p) {
  p->x = 0;
  p->y += p->step;
  p->done++;
  while (p->g->interlaced && p->y >= p->g->height && p->done < p->g->height) {
    bool was_first = p->step == 8 && p->y % 8 == 0;
    p->y = was_first ? 4 : p->step / 4;
    p->step = was_first ? 8 : p->step / 2;
  }
}

static void put(pen *p, uint32_t color) {
  const gif *g = p->g;
  if (p->done >= g->height)
    return;
  size_t at = (size_t)(g->top + p->y) * (size_t)p->image->width + g->left + p->x;
  memcpy(p->image->pixels + 3 * at, g->palette[color], 3);
  if (++p->x == g->width)
    next_row(p);
}

/* ---- LZW ---- */

enum { MOST_BITS = 12, MOST_CODES = 1 << MOST_BITS };

typedef struct {
  icl__cursor *in;
  uint32_t pending, count; /* bits that are read already */
  uint32_t left;           /* bytes of the current block */
  bool ended;
} codes;

/* The next code of so many bits. Behind the last block there are no more. */
static uint32_t next_code(codes *c, uint32_t bits) {
  while (c->count < bits) {
    if (c->left == 0 && (c->left = icl__take_u8(c->in)) == 0) {
      c->ended = true;
      return 0;
    }
    c->pending |= icl__take_u8(c->in) << c->count;
    c->count += 8;
    c->left--;
  }
  uint32_t code = c->pending & ((1u << bits) - 1);
  c->pending >>= bits;
  c->count -= bits;
  return code;
}

/* What codes stand for: the text of an earlier code and one more colour. */
typedef struct {
  uint16_t before[MOST_CODES];
  uint8_t last[MOST_CODES], text[MOST_CODES];
} table;

/* Draws what a code stands for; -> its first colour. */
static uint32_t draw(pen *p, table *t, uint32_t code, uint32_t clear) {
  uint32_t count = 0;
  for (; code >= clear; code = t->before[code])
    t->text[count++] = t->last[code];
  put(p, code);
  while (count)
    put(p, t->text[--count]);
  return code;
}

static icl_status decode_frame(gif *g, pen *p) {
  table t;
  codes c = {.in = &g->in};
  uint32_t start = icl__take_u8(&g->in), none = MOST_CODES;
  if (start == 0 || start > 8)
    return icl__cursor_damaged(&g->in, "codes of an impossible size");
  uint32_t clear = 1u << start, bits = start + 1, next = clear + 2, before = none, first = 0;
  while (p->done < g->height && g->width > 0) {
    uint32_t code = next_code(&c, bits);
    ICL__TRY(icl__cursor_check(&g->in));
    if (c.ended || code == clear + 1)
      return icl__cursor_damaged(&g->in, "the frame ends before its last pixel");
    if (code == clear) {
      bits = start + 1, next = clear + 2, before = none;
      continue;
    }
    if (code > next || (code == next && before == none) || (code > clear && before == none))
      return icl__cursor_damaged(&g->in, "a code without meaning");
    if (before != none && next < MOST_CODES) {
      t.before[next] = (uint16_t)before;
      t.last[next] = (uint8_t)first; /* right where the code is this new one; else set below */
    }
    bool is_new = code == next;
    if (is_new && next >= MOST_CODES)
      return icl__cursor_damaged(&g->in, "a code without meaning");
    first = draw(p, &t, code, clear);
    if (before != none && next < MOST_CODES) {
      t.last[next] = (uint8_t)first;
      next++;
      if (next == 1u << bits && bits < MOST_BITS)
        bits++;
    }
    before = code;
  }
  return ICL_OK;
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

icl_status icl__gif_decode(const char *name, const unsigned char *data, size_t bytes, icl__image *image) {
  gif g = {.in = {.name = name, .format = "GIF", .data = data, .bytes = bytes}};
  ICL__TRY(read_header(&g));
  uint32_t height = larger(g.screen_height, g.top + g.height), width = larger(g.screen_width, g.left + g.width);
  ICL__TRY(icl__image_resize(name, height, width, image));
  const uint8_t *around = g.palette[g.transparent >= 0 ? g.transparent : 0];
  bool whole = g.height == height && g.width == width;
  for (size_t i = 0; !whole && i < (size_t)height * width; i++)
    memcpy(image->pixels + 3 * i, around, 3);
  pen p = {.image = image, .g = &g, .step = g.interlaced ? 8 : 1};
  return decode_frame(&g, &p);
}
