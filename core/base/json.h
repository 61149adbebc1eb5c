/* json.h - texts as JSON. Where memory runs out in the middle of a text, jansson 2.14 goes on with what it has not got;
 * so what it takes meanwhile comes from here, and where there is no more the parse ends at once. Where it has to make
 * room for a text of its own it loses keys; so texts are written into memory that is there. */
#ifndef ICL_BASE_JSON_H
#define ICL_BASE_JSON_H

#include <jansson.h>

#include "base/status.h"

/* A value with all that is in it, which is read only: its references are neither taken nor given back. */
typedef struct icl__json icl__json;

/* The value of a text, with jansson's flags for decoding. EFORMAT: *error says what is wrong, and there is no message;
 * ENOMEM. */
icl_status icl__json_parse(const char *text, size_t bytes, size_t flags, json_error_t *error, icl__json **result);
json_t *icl__json_value(const icl__json *json);
void icl__json_free(icl__json *json); /* NULL is allowed */

/* A value as text, with jansson's flags for encoding, which is freed with icl__free(). ENOMEM, without a message. */
icl_status icl__json_text(const json_t *value, size_t flags, char **text, size_t *bytes);

#endif
